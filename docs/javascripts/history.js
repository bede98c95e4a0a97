// Tables of reference/history.md: a filter, newest figures only or all, and columns that sort when their head is clicked.
"use strict";

const tables = [...document.querySelectorAll("table.figures")];
const panel = document.createElement("p");
panel.className = "figures-panel";
panel.innerHTML =
  '<label>Filter <input type="search" placeholder="words, such as: groth16 2^16"></label> ' +
  '<label><input type="checkbox" checked> newest only</label> <output></output>';
const [text, newest] = panel.querySelectorAll("input");

function show() {
  const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const table of tables) {
    const bench = table.closest("[data-bench]").dataset.bench;
    let left = 0;
    for (const row of table.tBodies[0].rows) {
      const line = (bench + " " + row.textContent).toLowerCase();
      row.hidden = (newest.checked && row.className === "older") || !words.every((word) => line.includes(word));
      left += !row.hidden;
    }
    table.closest("[data-bench]").hidden = !left;
    shown += left;
  }
  panel.querySelector("output").textContent = shown + " lines";
}

function compare(a, b) {
  const [x, y] = [a.dataset.value, b.dataset.value];
  return x && y ? x - y : a.textContent.localeCompare(b.textContent);
}

function sort(table, column, descending) {
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => compare(a.cells[column], b.cells[column]) * (descending ? -1 : 1));
  table.tBodies[0].append(...rows);
}

for (const table of tables) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.textContent = head.textContent;
    button.addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sort(table, column, descending);
    });
    head.replaceChildren(button);
  });
}
if (tables.length) {
  document.querySelector("article h2").before(panel);
  text.addEventListener("input", show);
  newest.addEventListener("change", show);
  show();
}
