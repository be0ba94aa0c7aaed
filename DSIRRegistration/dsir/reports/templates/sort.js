document.querySelectorAll("th").forEach((head, column) => head.addEventListener("click", () => {
  const body = document.querySelector("tbody"), turn = head.dataset.turn = head.dataset.turn === "1" ? "-1" : "1";
  const value = row => { const v = row.cells[column].dataset.value;
    return v === undefined ? null : column === 1 ? v : +v; };
  [...body.rows].sort((a, b) => { const [x, y] = [value(a), value(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    return turn * (typeof x === "string" ? x.localeCompare(y, undefined, {numeric: true}) : x - y);
  }).forEach(row => body.append(row));
}));
