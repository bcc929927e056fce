// The two switches, for language and theme; and the beginning.

{
  /** What was chosen when the page was last open, if it is one of these. */
  const remembered = (key, choices, otherwise) => {
    try {
      const value = localStorage.getItem(key);
      return choices.includes(value) ? value : otherwise;
    } catch {
      return otherwise; // a page from a file may not be allowed to remember
    }
  };
  const remember = (key, value) => {
    try {
      localStorage.setItem(key, value);
    } catch {
      return;
    }
  };

  function applyTheme(theme) {
    document.documentElement.dataset.theme = theme;
    readColours();
    if (state.values) update();
  }

  const themes = ["auto", "light", "dark"];
  language = remembered("language", Object.keys(LANGUAGES), language);
  choice(
    document.getElementById("language"),
    "language",
    Object.entries(LANGUAGES).map(([key, name]) => [key, el("span", {}, name)]),
    language,
    (chosen) => {
      language = chosen;
      remember("language", chosen);
      applyLanguage();
      update();
    },
  );
  const theme = remembered("theme", themes, "auto");
  choice(
    document.getElementById("theme"),
    "theme",
    themes.map((name) => [name, el("span", {"data-text": `theme.${name}`})]),
    theme,
    (chosen) => {
      remember("theme", chosen);
      applyTheme(chosen);
    },
  );
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    applyTheme(document.documentElement.dataset.theme),
  );
  document.documentElement.dataset.theme = theme;
  readColours();
  const {name, recipe} = DATA;
  views.push(() => {
    document.getElementById("made").textContent = t("made", {
      name,
      recipe: Object.entries(recipe)
        .map(([key, value]) => `${key} ${value}`)
        .join(", "),
    });
  });
  applyLanguage();
  update();
  const sizes = state.gradients.maps[1].map(Math.abs); // to begin with, the number of the first layer that matters most
  chooseNumber(1, sizes.indexOf(Math.max(...sizes)), false);
  followNumber(1, state.number.index);
}
