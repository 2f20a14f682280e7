// A slider and a number box that hold the same number. Both are native inputs with a name, so the
// keyboard and screen readers work without a line written for them.
function render({ model, el }) {
  const label = document.createElement("label");
  const box = document.createElement("input");
  const range = document.createElement("input");
  box.type = "number";
  range.type = "range";
  label.append(document.createElement("span"), box);
  el.classList.add("labutils-slider");
  el.append(label, range);

  function show() {
    label.firstChild.textContent = model.get("name");
    range.setAttribute("aria-label", model.get("name"));
    for (const input of [box, range]) {
      for (const key of ["min", "max", "step"]) input[key] = model.get(key);
      input.value = model.get("value");
    }
  }

  function take(event) {
    const typed = event.target.valueAsNumber;
    if (Number.isNaN(typed)) return show();
    const [min, max, step] = ["min", "max", "step"].map((key) => model.get(key));
    const nearest = min + Math.round((typed - min) / step) * step;
    model.set("value", Number(Math.min(max, Math.max(min, nearest)).toFixed(6)));
    model.save_changes();
    show();
  }

  // In command mode JupyterLab would take these keys, to go to another cell or into its editor.
  el.addEventListener("keydown", (event) => {
    if (/^(Arrow|Page|Home|End|Enter)/.test(event.key)) event.stopPropagation();
  });
  range.addEventListener("input", take);
  box.addEventListener("change", take);
  model.on("change", show);
  show();
}

export default { render };
