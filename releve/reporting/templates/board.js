"use strict";
// Sorts and filters a board. Without it the table is there as it was written.
for (const board of document.querySelectorAll(".board")) {
  const body = board.querySelector("tbody"), written = [...body.rows], heads = [...board.querySelectorAll("th")];
  const search = board.querySelector("input"), count = board.querySelector("output");
  const filters = [...board.querySelectorAll("[data-mark]")];
  const texts = written.map((row) => row.textContent.toLowerCase());
  let mark = "";

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/);
    let shown = 0;
    written.forEach((row, place) => {
      const fits = !mark || row.dataset.marks.split("|").includes(mark);
      row.hidden = !(fits && words.every((word) => texts[place].includes(word)));
      shown += !row.hidden;
    });
    count.value = `${shown} of ${written.length} shown`;
    filters.forEach((button) => button.setAttribute("aria-pressed", button.dataset.mark === mark));
  };

  const keyOf = (row, column) => {
    const key = row.cells[column].dataset.key;
    return key === undefined ? null : Number.isNaN(Number(key)) ? key : Number(key);
  };

  // first click, the other way round, and back to the order in which it was written
  const sort = (column) => {
    const head = heads[column], first = "descending" in head.dataset ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const now = head.getAttribute("aria-sort"), next = now === first ? other : now === other ? null : first;
    heads.forEach((each) => each.removeAttribute("aria-sort"));
    const rows = [...written], sign = next === "descending" ? -1 : 1;
    if (next) {
      head.setAttribute("aria-sort", next);
      const keys = new Map(rows.map((row) => [row, keyOf(row, column)]));
      rows.sort((one, two) => {
        const a = keys.get(one), b = keys.get(two);
        if (a === null || b === null) return (a === null) - (b === null);
        return sign * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
      });
    }
    body.append(...rows);
  };

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(column));
    head.append(button);
  });
  search.addEventListener("input", filter);
  filters.forEach((button) => button.addEventListener("click", () => {
    mark = mark === button.dataset.mark ? "" : button.dataset.mark;
    filter();
  }));
  filter();
  board.querySelector(".controls").hidden = false;
}
