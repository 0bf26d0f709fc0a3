// Runs before everything else, so that no error of the page is missed: collects them for whoever tests or debugs it.
(() => {
  const errors = [];
  const keep = (kind, what) => {
    if (errors.length < 100) errors.push(`${kind}: ${what}`);
  };
  const log = console.error.bind(console);
  console.error = (...words) => {
    keep("console", words.map(String).join(" "));
    log(...words);
  };
  addEventListener("error", (event) => keep("error", event.message || `could not load ${event.target?.src || event.target?.href}`), true);
  addEventListener("unhandledrejection", (event) => keep("rejection", event.reason));
  window.broadside = { errors, state: () => ({ phase: "loading" }) };
})();
