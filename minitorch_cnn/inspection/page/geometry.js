// How many windows fit, and where they lie: kernel size, stride, padding and dilation.

{
  const place = document.getElementById("windows");
  const LIMITS = {size: [1, 28], kernel: [1, 7], stride: [1, 5], padding: [0, 4], dilation: [1, 4]};
  const EXAMPLES = {
    conv1: {size: 28, kernel: 5, stride: 1, padding: 2, dilation: 1},
    conv2: {size: 14, kernel: 5, stride: 1, padding: 0, dilation: 1},
    pool: {size: 10, kernel: 2, stride: 2, padding: 0, dilation: 1},
    dilated: {size: 9, kernel: 3, stride: 1, padding: 2, dilation: 2},
    strided: {size: 8, kernel: 3, stride: 2, padding: 1, dilation: 1},
  };
  const now = {...EXAMPLES.strided};
  const at = {row: 1, column: 1};
  const sliders = {};
  const shown = {};
  const input = el("svg:svg", {id: "geometry-input", role: "img"});
  const output = el("svg:svg", {
    id: "geometry-output",
    tabindex: 0,
    role: "application",
    "aria-describedby": "geometry-how",
  });
  const formula = el("p", {class: "formula", id: "geometry-formula"});
  const count = el("p", {id: "geometry-count"});
  const rows = el("p", {class: "note", id: "geometry-rows"});
  const captions = [el("figcaption"), el("figcaption")];

  const controls = el(
    "div",
    {class: "controls"},
    ...Object.entries(LIMITS).map(([name, [min, max]]) => {
      sliders[name] = el("input", {
        type: "range",
        id: `geometry-${name}`,
        min,
        max,
        step: 1,
        oninput: () => {
          now[name] = Number(sliders[name].value);
          show();
        },
      });
      shown[name] = el("span", {class: "figure"});
      return el(
        "p",
        {},
        el("label", {for: `geometry-${name}`, "data-text": `geometry.${name}`}),
        shown[name],
        sliders[name],
      );
    }),
  );
  const examples = el(
    "p",
    {class: "row"},
    ...Object.entries(EXAMPLES).map(([name, values]) =>
      el("button", {
        type: "button",
        class: "small",
        "data-text": `geometry.example.${name}`,
        onclick: () => {
          Object.assign(now, values);
          show();
        },
      }),
    ),
  );
  place.append(
    examples,
    controls,
    formula,
    count,
    el("div", {class: "grids-of-cells"}, el("figure", {}, captions[0], input), el("figure", {}, captions[1], output)),
    rows,
    el("p", {class: "note", id: "geometry-how", "data-text": "geometry.how"}),
  );

  function choose(row, column) {
    const most = windowCount(now.size, now) - 1;
    Object.assign(at, {row: Math.min(most, Math.max(0, row)), column: Math.min(most, Math.max(0, column))});
    show();
    say(rows.textContent);
  }
  const cellOf = (event) =>
    event.target.dataset.row !== undefined && [Number(event.target.dataset.row), Number(event.target.dataset.column)];
  for (const kind of ["pointermove", "click"])
    output.addEventListener(kind, (event) => {
      const cell = cellOf(event);
      if (cell && (cell[0] !== at.row || cell[1] !== at.column)) choose(...cell);
    });
  output.addEventListener("keydown", (event) => {
    const by = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}[event.key];
    if (!by || windowCount(now.size, now) < 1) return;
    event.preventDefault();
    choose(at.row + by[0], at.column + by[1]);
  });

  function show() {
    const {size, kernel, stride, padding, dilation} = now;
    const windows = windowCount(size, now);
    const padded = size + 2 * padding;
    const span = dilation * (kernel - 1) + 1;
    const fits = windows >= 1;
    for (const name in LIMITS) {
      sliders[name].value = now[name];
      shown[name].textContent = now[name];
    }
    at.row = Math.max(0, Math.min(at.row, windows - 1));
    at.column = Math.max(0, Math.min(at.column, windows - 1));
    formula.replaceChildren(
      `⌊(n + 2p ${MINUS} d(k ${MINUS} 1) ${MINUS} 1) / s⌋ + 1 = `,
      `⌊(${size} + ${2 * padding} ${MINUS} ${dilation}${TIMES}${kernel - 1} ${MINUS} 1) / ${stride}⌋ + 1 = `,
      el("b", {class: "result", id: "geometry-result"}, fits ? String(windows) : t("geometry.none")),
    );
    count.textContent = fits
      ? t("geometry.fits", {windows, count: windows ** 2, size: kernel ** 2})
      : t("geometry.too.large", {span, padded});
    count.className = fits ? "" : "is-wrong";

    const axis = (index, u) => index * stride + u * dilation - padding; // where element u of window `index` lies
    const seen = new Set();
    const taken = {row: new Set(), column: new Set()};
    for (let index = 0; index < windows; index++) for (let u = 0; u < kernel; u++) seen.add(axis(index, u));
    for (let u = 0; u < kernel && fits; u++) {
      taken.row.add(axis(at.row, u));
      taken.column.add(axis(at.column, u));
    }
    const cell = 20;
    const cells = [];
    for (let i = -padding; i < size + padding; i++)
      for (let j = -padding; j < size + padding; j++) {
        const kinds = [i < 0 || j < 0 || i >= size || j >= size ? "pad" : "pixel"];
        if (!seen.has(i) || !seen.has(j)) kinds.push("never");
        if (taken.row.has(i) && taken.column.has(j)) kinds.push("taken");
        cells.push(
          el("svg:rect", {
            x: (j + padding) * cell + 1,
            y: (i + padding) * cell + 1,
            width: cell - 2,
            height: cell - 2,
            rx: 2,
            class: kinds.join(" "),
          }),
        );
      }
    input.setAttribute("viewBox", `0 0 ${padded * cell} ${padded * cell}`);
    input.style.width = `${Math.min(560, padded * 26)}px`;
    input.replaceChildren(...cells);
    input.setAttribute("aria-label", t("geometry.input.label", {size, padding}));
    const places = [];
    for (let i = 0; i < windows; i++)
      for (let j = 0; j < windows; j++)
        places.push(
          el("svg:rect", {
            x: j * cell + 1,
            y: i * cell + 1,
            width: cell - 2,
            height: cell - 2,
            rx: 2,
            "data-row": i,
            "data-column": j,
            class: i === at.row && j === at.column ? "pixel taken" : "pixel",
          }),
        );
    output.setAttribute("viewBox", `0 0 ${Math.max(1, windows) * cell} ${Math.max(1, windows) * cell}`);
    output.style.width = `${Math.max(1, windows) * Math.min(560 / padded, 26)}px`;
    output.replaceChildren(...places);
    output.setAttribute("aria-label", t("geometry.output.label", {windows: Math.max(0, windows)}));
    captions[0].textContent = t("geometry.input", {size, padding});
    captions[1].textContent = t("geometry.output", {windows: Math.max(0, windows)});
    rows.textContent = fits
      ? t("geometry.rows", {
          row: at.row,
          column: at.column,
          rows: [...taken.row].join(", ").replaceAll("-", MINUS),
          columns: [...taken.column].join(", ").replaceAll("-", MINUS),
        })
      : "";
  }
  views.push(show);
}
