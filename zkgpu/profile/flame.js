"use strict";
const root = JSON.parse(document.getElementById("profile").textContent);
const HEIGHT = 22, NARROWEST = 0.0006;
const flame = document.getElementById("flame"), path = document.getElementById("path");
const search = document.getElementById("search");
let shown = root;

(function link(node, parent) {
  node.parent = parent;
  node.entries = node.a + node.b + node.c;
  node.children.forEach(child => link(child, node));
})(root, null);

const by = () => document.querySelector("input[name=by]:checked").value;
const upwards = node => node ? [...upwards(node.parent), node] : [];
const named = node => upwards(node).map(one => one.name).join(" / ");
const hue = name => [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);

function told(node) {
  const share = root[by()] ? (100 * node[by()] / root[by()]).toFixed(1) : "0";
  return `${named(node)}: ${node.constraints.toLocaleString("en")} constraints, ` +
    `${node.entries.toLocaleString("en")} entries, ${share} % of ${by()}`;
}

function bar(node, left, width, level) {
  const button = document.createElement("button");
  button.textContent = width > 0.02 ? node.name : "";
  button.title = told(node);
  button.setAttribute("aria-label", button.title);
  button.style.cssText = `left:${100 * left}%;width:${100 * width}%;top:${HEIGHT * level}px;` +
    `background:hsl(${hue(node.name)} 55% var(--light))`;
  const wanted = search.value.trim().toLowerCase();
  button.classList.toggle("other", wanted !== "" && !node.name.toLowerCase().includes(wanted));
  button.onclick = () => { shown = node; draw(); };
  button.onmouseenter = button.onfocus = () => { path.textContent = told(node); };
  flame.append(button);
}

function draw() {
  flame.replaceChildren();
  const above = upwards(shown.parent);
  above.forEach((node, level) => bar(node, 0, 1, level));
  let deepest = 0;
  (function place(node, left, level) {
    const width = shown[by()] ? node[by()] / shown[by()] : 0;
    if (width < NARROWEST && node !== shown) return;
    deepest = Math.max(deepest, level);
    bar(node, left, node === shown ? 1 : width, level);
    for (const child of node.children) {
      place(child, left, level + 1);
      left += shown[by()] ? child[by()] / shown[by()] : 0;
    }
  })(shown, 0, above.length);
  flame.style.height = `${HEIGHT * (deepest + 1)}px`;
  path.textContent = told(shown);
}

document.querySelectorAll("input[name=by]").forEach(input => { input.onchange = draw; });
search.oninput = draw;
draw();
