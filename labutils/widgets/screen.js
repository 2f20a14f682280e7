// The picture of an explorer, the line below it that screen readers announce, and what went wrong.
function render({ model, el }) {
  const picture = document.createElement("img");
  const text = document.createElement("p");
  const problem = document.createElement("p");
  text.setAttribute("role", "status");
  problem.setAttribute("role", "alert");
  el.classList.add("labutils-screen");
  el.append(problem, picture, text);

  function show() {
    picture.alt = model.get("alt");
    if (picture.src !== model.get("source")) picture.src = model.get("source");
    text.textContent = model.get("text");
    problem.textContent = model.get("problem");
    problem.hidden = !model.get("problem");
  }

  model.on("change", show);
  model.on("change:trace", () => {
    if (model.get("trace")) console.error(model.get("trace"));
  });
  show();
}

export default { render };
