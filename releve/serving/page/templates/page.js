// Draws on the grid of a pixel table, and scales an uploaded image onto it. Everything else works without a script.
"use strict";
const draw = document.querySelector(".draw");
if (draw) {
  const canvas = draw.querySelector("canvas"), paper = canvas.getContext("2d", { willReadFrequently: true });
  const side = Number(draw.dataset.side), low = Number(draw.dataset.low), high = Number(draw.dataset.high);
  const cell = canvas.width / side, place = document.getElementById("draw-place");
  // the features of the grid, row after row: the server sends their names in the order of the grid
  const inputs = JSON.parse(draw.dataset.names).map(
    (name) => document.querySelector(`[name="${CSS.escape("feature." + name)}"]`));
  let ink = inputs.map((input) => (Number(input.value) - low) / (high - low)), at = 0, pen = null;
  const bound = (share) => Math.min(1, Math.max(0, share || 0));

  const show = () => {
    ink.forEach((share, number) => {
      const grey = Math.round(255 * (1 - bound(share)));
      paper.fillStyle = `rgb(${grey} ${grey} ${grey})`;
      paper.fillRect((number % side) * cell, Math.floor(number / side) * cell, cell, cell);
    });
    if (document.activeElement === canvas && canvas.matches(":focus-visible")) {
      paper.strokeStyle = "#b3261e";
      paper.lineWidth = 3;
      paper.strokeRect((at % side) * cell + 2, Math.floor(at / side) * cell + 2, cell - 4, cell - 4);
    }
  };
  const write = () => {
    inputs.forEach((input, number) => { input.value = String(Math.round((low + bound(ink[number]) * (high - low)) * 1000) / 1000); });
    show();
  };
  // A pen of about one cell: a cell takes ink by its distance from the pen, in cells.
  const dab = (x, y) => {
    ink = ink.map((share, number) => {
      const over = (number % side) + 0.5 - x, down = Math.floor(number / side) + 0.5 - y;
      return Math.max(share, bound(1.25 - Math.hypot(over, down)));
    });
  };
  const placeOf = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * side, ((event.clientY - box.top) / box.height) * side];
  };
  let fresh = true; // the first stroke takes the example away
  canvas.addEventListener("pointerdown", (event) => {
    if (fresh) { ink = ink.map(() => 0); fresh = false; }
    canvas.setPointerCapture(event.pointerId);
    pen = placeOf(event);
    dab(...pen);
    write();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!pen) return;
    const [x, y] = placeOf(event), steps = Math.ceil(Math.hypot(x - pen[0], y - pen[1]) * 4) || 1;
    for (let step = 1; step <= steps; step++) dab(pen[0] + ((x - pen[0]) * step) / steps, pen[1] + ((y - pen[1]) * step) / steps);
    pen = [x, y];
    write();
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { pen = null; });
  const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -side, ArrowDown: side };
  canvas.addEventListener("keydown", (event) => {
    const row = Math.floor(at / side), next = at + (moves[event.key] || 0);
    if (event.key in moves) {
      const sameRow = Math.floor(next / side) === row;
      if (next >= 0 && next < ink.length && (sameRow || Math.abs(moves[event.key]) === side)) at = next;
    } else if (event.key === " ") {
      ink[at] = bound(ink[at]) > 0.5 ? 0 : 1;
      fresh = false;
    } else if (event.key === "Delete" || event.key === "Backspace") {
      ink = ink.map(() => 0);
      fresh = false;
    } else return;
    event.preventDefault();
    write();
    place.textContent = `row ${Math.floor(at / side) + 1}, column ${(at % side) + 1}: ${bound(ink[at]) > 0.5 ? "ink" : "paper"}`;
  });
  canvas.addEventListener("focus", show);
  canvas.addEventListener("blur", show);
  document.getElementById("wipe").addEventListener("click", () => { ink = ink.map(() => 0); fresh = false; write(); });
  document.getElementById("image").addEventListener("change", async (event) => {
    const file = event.target.files[0];
    if (!file) return;
    try {
      const image = await createImageBitmap(file), small = document.createElement("canvas");
      small.width = small.height = side;
      const scaled = small.getContext("2d", { willReadFrequently: true });
      scaled.fillStyle = "#fff";
      scaled.fillRect(0, 0, side, side);
      scaled.imageSmoothingQuality = "high";
      const share = Math.min(side / image.width, side / image.height);
      const width = image.width * share, height = image.height * share;
      scaled.drawImage(image, (side - width) / 2, (side - height) / 2, width, height);
      const dots = scaled.getImageData(0, 0, side, side).data;
      ink = ink.map((_, number) => 1 - (0.299 * dots[4 * number] + 0.587 * dots[4 * number + 1] + 0.114 * dots[4 * number + 2]) / 255);
      fresh = false;
      write();
      place.textContent = `${file.name} is on the grid`;
    } catch {
      place.textContent = `${file.name} is no image that this browser can read`;
    }
  });
  for (const input of inputs) input.addEventListener("input", () => {
    ink = inputs.map((each) => (Number(each.value) - low) / (high - low));
    fresh = false;
    show();
  });
  draw.hidden = false;
  show();
}
