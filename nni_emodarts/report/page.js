"use strict";
(() => {
  const palette = JSON.parse(document.getElementById("palette").textContent);
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const STEP = still ? 1500 : 500;

  // What a share of the even chance looks like: its binary logarithm, from -bound to bound.
  const shade = (value, count, bound) => {
    const ratio = Math.log2(Math.max(value * count, 1 / 64));
    const place = Math.min(Math.max((ratio / bound + 1) / 2, 0), 1);
    return Math.round(place * (palette.length - 1));
  };
  const dark = (number) => number < palette.length * 0.2 || number > palette.length * 0.88;

  const setUp = (film) => {
    const data = JSON.parse(film.querySelector("script").textContent);
    const slider = film.querySelector("input");
    const output = film.querySelector("output");
    const button = film.querySelector("button");
    const uar = film.querySelector(".uar");
    const tables = film.querySelectorAll(".matrix");
    let timer = null;

    const show = () => {
      const epoch = Number(slider.value);
      output.textContent = data.epochs[epoch];
      slider.setAttribute("aria-valuetext", "epoch " + data.epochs[epoch]);
      const figure = data.val_uar[data.epochs[epoch]];
      uar.textContent = figure === undefined ? "" : "validation " + data.figure + " of the supernet " + figure.toFixed(3);
      data.cells.forEach((cell, number) => {
        const rows = tables[number].tBodies[0].rows;
        cell.rows.forEach((row, line) => {
          row.values.forEach((values, column) => {
            const box = rows[line].cells[column + 1];
            const color = shade(values[epoch], row.values.length, cell.bound);
            box.textContent = (100 * values[epoch]).toFixed(values[epoch] < 0.0995 ? 1 : 0) + "\u00a0%";
            box.style.backgroundColor = palette[color];
            box.style.color = dark(color) ? "#fff" : "#1b1f24";
          });
        });
      });
    };
    const stop = () => {
      clearInterval(timer);
      timer = null;
      button.textContent = "Play";
      button.setAttribute("aria-pressed", "false");
    };
    const next = () => {
      if (Number(slider.value) >= Number(slider.max)) return stop();
      slider.value = Number(slider.value) + 1;
      show();
    };
    button.addEventListener("click", () => {
      if (timer !== null) return stop();
      if (slider.value === slider.max) slider.value = 0;
      show();
      button.textContent = "Pause";
      button.setAttribute("aria-pressed", "true");
      timer = setInterval(next, STEP);
    });
    slider.addEventListener("input", () => { stop(); show(); });
    show();
  };
  document.querySelectorAll(".film").forEach(setUp);

  // Paper has no triangles to open.
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((part) => { part.open = true; });
  });
  window.addEventListener("afterprint", () => { opened.forEach((part) => { part.open = false; }); });
  document.documentElement.dataset.ready = "yes";
})();
