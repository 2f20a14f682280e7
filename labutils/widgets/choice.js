// A list to choose from, with its name.
function render({ model, el }) {
  const label = document.createElement("label");
  const list = document.createElement("select");
  label.append(document.createElement("span"), list);
  el.classList.add("labutils-choice");
  el.append(label);

  function show() {
    label.firstChild.textContent = model.get("name");
    list.replaceChildren(...model.get("texts").map((text) => new Option(text)));
    list.selectedIndex = model.get("index");
  }

  // In command mode JupyterLab would take these keys, to go to another cell or into its editor.
  el.addEventListener("keydown", (event) => {
    if (/^(Arrow|Page|Home|End|Enter)/.test(event.key)) event.stopPropagation();
  });
  list.addEventListener("change", () => {
    model.set("index", list.selectedIndex);
    model.save_changes();
  });
  model.on("change:name change:texts", show);
  model.on("change:index", () => (list.selectedIndex = model.get("index")));
  show();
}

export default { render };
