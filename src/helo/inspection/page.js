const $ = id => document.getElementById(id);
const bytes = s => Uint8Array.from(atob(s), c => c.charCodeAt(0));
const layers = data.map(d => d.traces.map(t => ({ ...t, units: bytes(t.units), gates: Object.fromEntries(Object.entries(t.gates).map(([k, v]) => [k, bytes(v)])) })));
const flat = data.map(d => d.steps.flat());
const box = $("text");
let r = 0, l = 0, what = "", unit = 0, from = 0, to = 0;

const choices = (select, list, chosen) => {
  select.replaceChildren(...list.map(([value, name]) => new Option(name, value, false, String(value) === String(chosen))));
};
const at = i => {
  const t = layers[r][l];
  if (!what) return (t.units[i * t.hidden + unit] - 128) / 127;
  const wide = Math.ceil(t.hidden / 2), b = t.gates[what][i * wide + (unit >> 1)];
  return (unit & 1 ? b & 15 : b >> 4) / 7.5 - 1;
};
const fill = () => {
  const d = data[r], all = document.createDocumentFragment();
  let i = 0;
  d.steps.forEach((row, n) => {
    if (n) all.append(d.gap ? "\n" : "\n⋯\n");
    row.forEach(piece => {
      const span = document.createElement("span");
      span.textContent = d.gap ? piece + " " : piece; span.dataset.i = i++; all.append(span);
    });
  });
  box.replaceChildren(all);
};
const spans = () => box.querySelectorAll("span");
const colour = () => {
  spans().forEach((s, i) => {
    const v = at(i); s.className = (v > 0 ? "a" : "b") + (i >= from && i < to ? " here" : "");
    s.style.setProperty("--v", Math.abs(v).toFixed(2));
  });
  const t = layers[r][l], known = data[r].best.filter(b => b[1] === t.name && b[2] === unit && b[4]).map(b => b[0]);
  $("said").textContent = `${t.name}, ${what ? "gate " + what + " of " : ""}unit ${unit}` + (known.length ? `: best unit for ${known.join(", ")}` : "");
};
const menu = () => {
  const t = layers[r][l];
  choices($("layer"), layers[r].map((x, i) => [i, x.name]), l);
  choices($("what"), [["", "memory"], ...Object.keys(t.gates).map(k => [k, "gate " + k])], what);
  choices($("best"), [["", "–"], ...data[r].best.map((b, i) => [i, `${b[0]} (${b[3].toFixed(2)})`])], "");
  $("unit").max = $("slide").max = t.hidden - 1; $("unit").value = $("slide").value = unit;
  $("place").max = flat[r].length - 1;
};
const show = () => { menu(); colour(); };
const go = n => { unit = Math.max(0, Math.min(layers[r][l].hidden - 1, Math.round(n) || 0)); $("unit").value = $("slide").value = unit; colour(); };
const jump = (a, b) => {
  from = a; to = b; $("place").value = a; colour();
  const span = spans()[a]; if (span) box.scrollTop = span.offsetTop - box.offsetTop - box.clientHeight / 3;
};
// Where else is it like here: places whose units, all of the layer, point where those of the span do on the average.
const like = () => {
  const t = layers[r][l], n = flat[r].length, mean = new Float32Array(t.hidden);
  const a = from, b = Math.max(to, from + 1);
  for (let i = a; i < b; i++) for (let u = 0; u < t.hidden; u++) mean[u] += t.units[i * t.hidden + u] - 128;
  const size = Math.hypot(...mean) || 1, found = [];
  for (let i = 0; i < n; i++) {
    let dot = 0, own = 0;
    for (let u = 0; u < t.hidden; u++) { const v = t.units[i * t.hidden + u] - 128; dot += v * mean[u]; own += v * v; }
    found.push([dot / size / (Math.sqrt(own) || 1), i]);
  }
  found.sort((x, y) => y[0] - x[0]);
  const kept = [];
  for (const [v, i] of found) {
    if (i >= a - 8 && i < b + 8 || kept.some(k => Math.abs(k[1] - i) < 16)) continue;
    kept.push([v, i]); if (kept.length === 8) break;
  }
  const list = document.createElement("ol"), gap = data[r].gap ? " " : "";
  kept.forEach(([v, i]) => {
    const button = document.createElement("button"), item = document.createElement("li"), mark = document.createElement("b");
    const cut = (x, y) => flat[r].slice(Math.max(0, x), y).join(gap).replaceAll("↵\n", "↵");
    mark.textContent = cut(i, i + 1); button.append(cut(i - 30, i) + gap, mark, gap + cut(i + 1, i + 20));
    button.onclick = () => jump(i, i + 1); item.append(`${v.toFixed(2)} `, button); list.append(item);
  });
  const title = document.createElement("p"); title.textContent = "Most similar places (cosine similarity of all units of the layer):";
  $("like").replaceChildren(title, list);
};
$("reading").onchange = e => { r = +e.target.value; l = 0; what = ""; unit = 0; from = to = 0; fill(); show(); };
$("layer").onchange = e => { l = +e.target.value; what = ""; go(unit); show(); };
$("what").onchange = e => { what = e.target.value; colour(); };
$("unit").oninput = e => go(+e.target.value);
$("slide").oninput = e => go(+e.target.value);
$("best").onchange = e => {
  const b = data[r].best[e.target.value]; if (!b) return;
  l = layers[r].findIndex(t => t.name === b[1]); what = ""; unit = b[2]; menu(); $("best").value = e.target.value; colour();
};
$("find").oninput = e => {
  const sought = e.target.value; if (!sought) return;
  const joined = flat[r].map(p => p.replaceAll("↵\n", "\n")), whole = joined.join(data[r].gap ? " " : "");
  const hit = whole.indexOf(sought); if (hit < 0) { $("said").textContent = `no “${sought}” here`; return; }
  let i = 0, seen = 0, a = -1;
  for (; i < joined.length; i++) { if (seen + joined[i].length > hit && a < 0) a = i; seen += joined[i].length + (data[r].gap ? 1 : 0); if (seen >= hit + sought.length) break; }
  jump(a, i + 1);
};
$("place").oninput = e => { const i = Math.max(0, Math.min(flat[r].length - 1, +e.target.value || 0)); from = i; to = i + 1; colour(); };
$("place").onchange = () => jump(from, to);
$("more").onclick = like;
document.addEventListener("selectionchange", () => {
  const s = getSelection(); if (!s.rangeCount || s.isCollapsed || !box.contains(s.anchorNode) || !box.contains(s.focusNode)) return;
  const place = n => +(n.parentElement.dataset.i ?? -1), a = place(s.anchorNode), b = place(s.focusNode);
  if (a >= 0 && b >= 0) { from = Math.min(a, b); to = Math.max(a, b) + 1; $("place").value = from; }
});
const first = data[r].best.find(b => b[4]);
if (first) { l = Math.max(0, layers[r].findIndex(t => t.name === first[1])); unit = first[2]; }
fill(); show();
