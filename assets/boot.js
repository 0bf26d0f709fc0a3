// Runs before everything else. Collects the errors of the page, loads the WebAssembly module, and when something does not come or
// does not run, says which and why, with a button to reload. Written for browsers older than those that can play, so that it can tell
// them.
(() => {
  "use strict";
  // The same in every file of one build; see xtask/src/site.rs.
  const BUILD = "@build@";
  // How long loading may take before the page says what it waits for.
  const PATIENCE_MS = 20000;
  // How long a reload waits for fresh copies of the files.
  const FRESH_MS = 3000;
  const MIXED = "The server was updated a moment ago, or something on the way kept an old file. Reload the page.";
  // The folder that the page came from, whatever the address bar shows later.
  const base = new URL(".", document.currentScript.src).href;
  const nameOf = (url) => (url.startsWith(base) ? url.slice(base.length).split("?")[0] : url);

  const errors = [];
  const keep = (kind, what) => {
    if (errors.length < 100) errors.push(`${kind}: ${what}`);
  };
  const log = console.error.bind(console);
  console.error = (...words) => {
    keep("console", words.map(String).join(" "));
    log(...words);
  };

  let failed = false;
  let ready = false;
  let awaited = "";

  const inPage = (call) => (document.body ? call() : document.addEventListener("DOMContentLoaded", call));

  // Shows a text with a button that reloads.
  const show = (text, look) => {
    let note = document.getElementById("loading");
    if (!note) {
      // The game has begun long ago: over everything.
      note = document.createElement("p");
      note.id = "loading";
      document.body.prepend(note);
      look += " over";
    }
    const again = document.createElement("button");
    again.type = "button";
    again.textContent = "Reload";
    again.addEventListener("click", reload);
    note.className = look;
    note.setAttribute("role", "alert");
    note.replaceChildren(`${text} `, again);
    note.scrollIntoView({ block: "center" });
  };

  const fail = (text) => {
    if (failed) return;
    failed = true;
    inPage(() => show(text, "failed"));
  };

  // A copy that the browser kept may be what is wrong: every file is asked for again first.
  const reload = () => {
    const files = performance.getEntriesByType("resource").map((entry) => entry.name);
    const ours = files.filter((name) => name.startsWith(base) && /\.(js|css|wasm)$/.test(name));
    const fresh = ours.concat(location.href).map((name) => fetch(name, { cache: "reload" }).catch(() => {}));
    const late = new Promise((done) => setTimeout(done, FRESH_MS));
    Promise.race([Promise.all(fresh), late]).then(() => location.reload());
  };

  // Why a file that came is none of ours; empty if it looks like one.
  const strange = (url, answer, bytes) => {
    const wants = url.endsWith(".wasm") ? [0, 97, 115, 109] : null;
    const begins = Array.from(bytes.slice(0, 4));
    const type = (answer.headers.get("content-type") || "no type").split(";")[0];
    const fits = wants ? wants.every((byte, at) => begins[at] === byte) : begins[0] !== 60 && type !== "text/html";
    if (fits) return "";
    const portal = "Perhaps this network wants you to log in first, or a proxy answers in place of the server.";
    return `Something else came instead of ${nameOf(url)} (${type}, ${bytes.length} bytes). ${portal} Then reload the page.`;
  };

  // Fetches a file; throws a sentence if that is no file of ours.
  const take = async (url, how) => {
    awaited = nameOf(url);
    let answer;
    let bytes;
    try {
      answer = await fetch(url, how);
      bytes = new Uint8Array(await answer.arrayBuffer());
    } catch (reason) {
      throw `${nameOf(url)} could not be loaded: the server or the network does not answer. Look at your connection, and reload the page.`;
    }
    if (answer.status === 404) throw `${nameOf(url)} is missing on the server. ${MIXED}`;
    if (!answer.ok) throw `${nameOf(url)} could not be loaded: the server answered ${answer.status}. Reload the page in a moment.`;
    const wrong = strange(url, answer, bytes);
    if (wrong) throw wrong;
    return bytes;
  };

  // Says why a file of the page did not load or did not run.
  const explain = async (url, reason) => {
    try {
      const text = new TextDecoder().decode(await take(url, { cache: "no-store" }));
      // What a script needs in turn.
      for (const [, needed] of text.matchAll(/\bfrom "(\.[^"]+\.js)"/g)) await take(new URL(needed, url).href, { cache: "no-store" });
    } catch (wrong) {
      return String(wrong);
    }
    const why = reason ? ` (${reason})` : "";
    return `${nameOf(url)} did not run${why}: it is damaged, or of another build than the page. ${MIXED}`;
  };

  const sameBuild = (files) => {
    const other = files.find(([, build]) => build !== BUILD);
    if (other) throw `The files of this page are of two builds: ${other[0]} does not belong to boot.js. ${MIXED}`;
  };

  // What a module says that does not start, for people.
  const notStarted = (reason) => {
    const text = String(reason);
    if (text.startsWith("cannot draw")) {
      return `This browser gives the page no WebGL 2 to draw with (${text}). Switch hardware acceleration on, update the browser, or try another.`;
    }
    if (reason instanceof WebAssembly.LinkError || text.startsWith("the page has no")) {
      return `The files of this page do not fit together (${text}). ${MIXED}`;
    }
    return `The program of this page did not start (${text}). Reload the page.`;
  };

  // Loads the module at `path` and starts it; gives what it exports. `build` is that of the script that asks.
  const load = async (path, build, asker) => {
    const [script, binary] = [`${base}${path}.js`, `${base}${path}_bg.wasm`];
    try {
      if (typeof WebAssembly !== "object") {
        throw "This browser has no WebAssembly, or it is switched off. Switch it on, update the browser, or try another.";
      }
      const meta = document.querySelector("meta[name=build]");
      sameBuild([["this page", meta && meta.content], [asker, build]]);
      awaited = nameOf(script);
      let glue;
      try {
        glue = await import(script);
      } catch (reason) {
        throw await explain(script, reason);
      }
      sameBuild([[nameOf(script), glue.build]]);
      const bytes = await take(binary);
      let module;
      try {
        module = await WebAssembly.compile(bytes);
      } catch (reason) {
        throw `${nameOf(binary)} cannot be used (${reason}): it is damaged, or this browser is too old for it. Reload the page, or try another browser.`;
      }
      const stamps = WebAssembly.Module.customSections(module, "build");
      sameBuild([[nameOf(binary), stamps.length ? new TextDecoder().decode(stamps[0]) : ""]]);
      try {
        await glue.default({ module_or_path: module });
      } catch (reason) {
        throw notStarted(reason);
      }
      ready = true;
      const note = document.getElementById("loading");
      if (note && !failed) note.remove();
      return glue;
    } catch (wrong) {
      fail(String(wrong));
      console.error(`could not start: ${wrong}`);
      throw wrong;
    }
  };

  addEventListener(
    "error",
    (event) => {
      const { target } = event;
      const source = target !== window && target && (target.src || target.href);
      keep("error", event.message || `could not load ${source}`);
      if (source) {
        if (target.tagName === "SCRIPT" || target.rel === "stylesheet") explain(source).then(fail);
      } else if (ready && typeof WebAssembly === "object" && event.error instanceof WebAssembly.RuntimeError) {
        fail("The game has stopped: its program made a mistake. Reload the page to go on; your seat is kept for a moment.");
      } else if (!ready && event.filename && event.filename.startsWith(base) && event.filename.endsWith(".js")) {
        explain(event.filename, event.message).then(fail);
      }
    },
    true,
  );
  addEventListener("unhandledrejection", (event) => keep("rejection", event.reason));

  document.addEventListener("DOMContentLoaded", () => {
    const late = document.getElementById("late");
    if (late) late.remove();
    // The address bar will show deeper paths, and what is relative to it would go along; the icon is loaded again with each.
    for (const link of document.querySelectorAll("a[href], link[rel=icon]")) link.href = link.href;
    if (!awaited) awaited = Array.from(document.querySelectorAll("script[type=module]"), (script) => nameOf(script.src)).join(", ");
  });
  setTimeout(() => {
    if (failed || ready) return;
    inPage(() => show(`Still loading: ${awaited} has not come for ${PATIENCE_MS / 1000} s. The line is slow, or something on it holds it back.`, "slow"));
  }, PATIENCE_MS);

  window.broadside = { errors, base, load, state: () => ({ phase: failed ? "failed" : "loading" }) };
})();
