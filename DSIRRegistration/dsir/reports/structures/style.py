"""How the page looks, on screen and on A4."""

STYLE = """
:root { --ink: #1d2329; --soft: #6a737d; --line: #e1e4e8; --green: #1a7f4b; --amber: #b26a00; --red: #c0262d; }
* { box-sizing: border-box; }
body { margin: 0; background: #f4f5f7; color: var(--ink); font: 14px/1.5 system-ui, "Segoe UI", "Liberation Sans",
  "DejaVu Sans", sans-serif; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
main { max-width: 1060px; margin: 0 auto; padding: 28px 36px 48px; background: #fff; }
h1 { font-size: 26px; line-height: 1.2; margin: 0; font-weight: 650; letter-spacing: -0.01em; }
h2 { font-size: 17px; margin: 30px 0 8px; font-weight: 650; }
header .date { color: var(--soft); margin: 2px 0 14px; }
.chip { display: inline-block; padding: 1px 10px; margin-right: 8px; border-radius: 11px; font-size: 12.5px;
  font-weight: 600; border: 1px solid currentColor; background: #fff; }
.green { color: var(--green); } .amber { color: var(--amber); } .red { color: var(--red); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 14px 0; }
dt { color: var(--soft); } dd { margin: 0; }
.warning { border-left: 3px solid var(--amber); background: #fdf6ea; padding: 8px 12px; margin: 14px 0 0; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
th { text-align: right; vertical-align: bottom; font-weight: 600; color: var(--soft); font-size: 12px;
  line-height: 1.25; padding: 4px 7px; border-bottom: 1px solid var(--ink); }
th small { display: block; font-weight: 400; }
td { text-align: right; padding: 5px 7px; border-bottom: 1px solid var(--line); white-space: nowrap; }
td em { font-style: normal; color: var(--soft); }
th:first-child, th:nth-child(2), td.name { text-align: left; }
td.name { white-space: normal; overflow-wrap: anywhere; min-width: 110px; }
td.sign { text-align: center; font-size: 15px; padding: 0 4px; }
.swatch { display: inline-block; width: 0.75em; height: 0.75em; border-radius: 3px; margin-right: 0.5em; }
.structure { border-top: 1px solid var(--line); margin-top: 26px; break-inside: avoid; }
.structure h2 { margin-top: 16px; }
.structure .chip { margin-left: 8px; vertical-align: 2px; }
ul { margin: 6px 0; padding-left: 20px; }
.more { color: var(--soft); margin: 4px 0 10px; }
figure { margin: 10px 0 0; break-inside: avoid; }
img { width: 100%; display: block; }
figcaption { color: var(--soft); font-size: 12.5px; margin-top: 3px; }
.foot { border-top: 1px solid var(--ink); margin-top: 34px; break-inside: avoid; }
.foot table { width: auto; } .foot th:nth-child(2) { text-align: right; } .foot th:last-child { text-align: left; }
.foot p { color: var(--soft); font-size: 12.5px; }
@page { size: A4; margin: 14mm 12mm; }
@media print { body { background: #fff; font-size: 11px; } main { padding: 0; max-width: none; }
  table { font-size: 9.5px; } th { font-size: 9px; } td, th { padding: 3px 4px; } td.name { min-width: 92px; }
  .structure { margin-top: 14px; } .structure h2 { margin: 10px 0 4px; font-size: 15px; } img { width: 76%; } }
"""
