"""How the page looks, and how its table is sorted."""

STYLE = """
:root { --ink: #1d2329; --soft: #6a737d; --line: #e1e4e8; --green: #1a7f4b; --amber: #b26a00; --red: #c0262d; }
* { box-sizing: border-box; }
body { margin: 0; background: #f4f5f7; color: var(--ink); font: 14px/1.5 system-ui, "Segoe UI", "Liberation Sans",
  "DejaVu Sans", sans-serif; }
main { max-width: 1280px; margin: 0 auto; padding: 28px 36px 48px; background: #fff; min-height: 100vh; }
h1 { font-size: 26px; line-height: 1.2; margin: 0; font-weight: 650; letter-spacing: -0.01em; }
.date { color: var(--soft); margin: 2px 0 14px; } .remark { color: var(--soft); max-width: 70ch; }
.chip { display: inline-block; padding: 1px 10px; margin-right: 8px; border-radius: 11px; font-size: 12.5px;
  font-weight: 600; border: 1px solid currentColor; }
.pass { color: var(--green); } .check { color: var(--amber); } .fail { color: var(--red); }
.done { color: var(--soft); } .kept { color: var(--soft); }
.left { color: var(--amber); } .failed { color: var(--red); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: right; font-weight: 600; color: var(--soft); font-size: 12px; padding: 6px 8px; cursor: pointer;
  border-bottom: 1px solid var(--ink); white-space: nowrap; position: sticky; top: 0; background: #fff; }
th:nth-child(2) { text-align: left; } th:hover { color: var(--ink); }
td { text-align: right; padding: 10px 8px; border-bottom: 1px solid var(--line); white-space: nowrap; }
td.name { text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 140px; }
td.picture { padding: 6px 8px 6px 0; width: 328px; }
td em { font-style: normal; color: var(--soft); }
td.bad { color: var(--red); font-weight: 600; }
.state { font-size: 12px; margin-left: 8px; }
.error, .warning { margin: 2px 0 0; font-size: 12.5px; line-height: 1.4; } .error { color: var(--red); }
.warning { color: var(--amber); }
img { width: 320px; display: block; border-radius: 3px; }
@media print { th { position: static; } tr { break-inside: avoid; } body { background: #fff; } }
"""

SORT = """
document.querySelectorAll("th").forEach((head, column) => head.addEventListener("click", () => {
  const body = document.querySelector("tbody"), turn = head.dataset.turn = head.dataset.turn === "1" ? "-1" : "1";
  const value = row => { const cell = row.cells[column], v = cell.dataset.value;
    return v !== undefined ? +v : column === 1 ? cell.innerText : null; };
  [...body.rows].sort((a, b) => { const [x, y] = [value(a), value(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    return turn * (typeof x === "string" ? x.localeCompare(y, undefined, {numeric: true}) : x - y);
  }).forEach(row => body.append(row));
}));
"""
