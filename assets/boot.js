// Runs before everything else. Collects the page's errors and loads the WebAssembly module. When a file does not load or does not run,
// it says which one and why, with a button to reload. Written in syntax that older browsers than those that can play understand, so that
// they show the message.
(() => {
  "use strict";
  // The same in every file of one build; see xtask/src/site.rs.
  const BUILD = "@build@";
  // Loading time after which the page says what it waits for.
  const PATIENCE_MS = 20000;
  // Longest time that a reload waits for fresh copies of the files.
  const FRESH_MS = 3000;
  // Time in which the page reloads by itself at most once.
  const RENEW_MS = 300000;
  // Texts are here in every language: what fails may be the table. settings.js chooses the language, and if it did not, the browser does.
  const say = (...texts) => texts[Math.max(0, ["en", "de", "es"].indexOf(`${window.broadside.lang || navigator.language}`.slice(0, 2)))];
  const mixed = () =>
    say(
      "The server was updated a moment ago, or something on the way kept an old file. Reload the page.",
      "Der Server wurde eben aktualisiert, oder etwas unterwegs hat eine alte Datei behalten. Lade die Seite neu.",
      "El servidor se acaba de actualizar, o algo en el camino guardó un archivo viejo. Recarga la página.",
    );
  // Only English says in which of the ways `what` is no part of this build; what to do is the same.
  const unfit = (english, what) =>
    `${say(english, `Die Dateien dieser Seite passen nicht zusammen (${what}).`, `Los archivos de esta página no encajan (${what}).`)} ${mixed()}`;
  // The folder of this build, with all that pages load, and the one that the page was loaded from: `v/BUILD/` is in it. The address bar
  // may show a deeper path later.
  const folder = new URL(".", document.currentScript.src).href;
  const base = new URL("../../", folder).href;
  const nameOf = (url) => [folder, base].reduce((name, at) => (name.startsWith(at) ? name.slice(at.length).split("?")[0] : name), url);

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
  let pending = "";

  const inPage = (call) => (document.body ? call() : document.addEventListener("DOMContentLoaded", call));

  // Shows a text with a button that reloads.
  const show = (text, look) => {
    let note = document.getElementById("loading");
    if (!note) {
      // The game has replaced the note: show one over everything.
      note = document.createElement("p");
      note.id = "loading";
      document.body.prepend(note);
      look += " over";
    }
    const again = document.createElement("button");
    again.type = "button";
    again.textContent = say("Reload", "Neu laden", "Recargar");
    again.addEventListener("click", reload);
    note.className = look;
    note.setAttribute("role", "alert");
    note.replaceChildren(`${text} `, again);
    note.scrollIntoView({ block: "center" });
  };

  const fail = (text) => {
    if (failed) return;
    failed = true;
    // What a reload may mend is shown only once one did not mend it.
    if (text.endsWith(mixed()) && renew()) return;
    inPage(() => show(text, "failed"));
  };

  // A cached copy may be the cause: fetch every file again first.
  const reload = () => {
    const files = performance.getEntriesByType("resource").map((entry) => entry.name);
    const ours = files.filter((name) => name.startsWith(base) && /\.(js|css|wasm)$/.test(name));
    const fresh = ours.concat(location.href).map((name) => fetch(name, { cache: "reload" }).catch(() => {}));
    const late = new Promise((done) => setTimeout(done, FRESH_MS));
    Promise.race([Promise.all(fresh), late]).then(() => location.reload());
  };

  // Reloads by itself where a reload is likely to help, such as after an update of the server. Not twice in a row: what a reload does not
  // mend, it would go on to not mend. Tells whether it does.
  const renew = () => {
    const key = `broadside.renewed ${base}`;
    try {
      const before = Number(sessionStorage.getItem(key));
      if (Date.now() - before < RENEW_MS) return false;
      sessionStorage.setItem(key, String(Date.now()));
    } catch (reason) {
      // Without storage nothing would end it.
      return false;
    }
    reload();
    return true;
  };

  // Shows how much of the program has been loaded.
  const showProgress = (part) => {
    const note = document.getElementById("loading");
    if (!note || failed) return;
    let bar = note.querySelector("progress");
    if (!bar) {
      bar = document.createElement("progress");
      bar.setAttribute("aria-label", say("loading", "lädt", "cargando"));
      note.append(bar);
    }
    bar.value = part;
  };

  // Reads what a response brings. `whole` is how many bytes that will be, as far as known: its header has the compressed length.
  const read = async (answer, whole) => {
    if (!whole || !answer.body) return new Uint8Array(await answer.arrayBuffer());
    const reader = answer.body.getReader();
    const chunks = [];
    let length = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      length += value.length;
      showProgress(length / whole);
    }
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  };

  // Why a response is not the file that was asked for; empty if it looks like it.
  const mismatch = (url, answer, bytes) => {
    const wants = url.endsWith(".wasm") ? [0, 97, 115, 109] : null;
    const begins = Array.from(bytes.slice(0, 4));
    const type = (answer.headers.get("content-type") || "no type").split(";")[0];
    const fits = wants ? wants.every((byte, at) => begins[at] === byte) : begins[0] !== 60 && type !== "text/html";
    if (fits) return "";
    const [name, what] = [nameOf(url), `(${type}, ${bytes.length} bytes)`];
    return say(
      `Something else came instead of ${name} ${what}. Perhaps this network wants you to log in first, or a proxy answers in place of the server. Then reload the page.`,
      `Statt ${name} kam etwas anderes ${what}. Vielleicht musst du dich in diesem Netz zuerst anmelden, oder ein Proxy antwortet statt des Servers. Lade dann die Seite neu.`,
      `En lugar de ${name} llegó otra cosa ${what}. Quizá esta red quiere que inicies sesión antes, o un proxy responde en lugar del servidor. Después recarga la página.`,
    );
  };

  const absent = (name) =>
    say(
      `${name} could not be loaded: the server or the network does not answer. Check your connection and reload the page.`,
      `${name} konnte nicht geladen werden: Der Server oder das Netz antwortet nicht. Prüf deine Verbindung und lade die Seite neu.`,
      `No se pudo cargar ${name}: el servidor o la red no responde. Comprueba tu conexión y recarga la página.`,
    );

  // Fetches a file; throws a sentence if the response is not that file.
  const take = async (url, how, whole) => {
    const name = (pending = nameOf(url));
    let answer;
    let bytes;
    try {
      answer = await fetch(url, how);
      bytes = await read(answer, whole);
    } catch (reason) {
      throw absent(name);
    }
    const { status } = answer;
    if (status === 404) throw unfit(`${name} is missing on the server.`, name);
    if (!answer.ok) {
      throw say(
        `${name} could not be loaded: the server answered ${status}. Reload the page in a moment.`,
        `${name} konnte nicht geladen werden: Der Server antwortete ${status}. Lade die Seite gleich neu.`,
        `No se pudo cargar ${name}: el servidor respondió ${status}. Recarga la página en un momento.`,
      );
    }
    const wrong = mismatch(url, answer, bytes);
    if (wrong) throw wrong;
    return bytes;
  };

  // Fetches a script and all that it imports, directly or not.
  const takeAll = async (url, seen) => {
    if (seen.has(url)) return;
    seen.add(url);
    const text = new TextDecoder().decode(await take(url, { cache: "no-store" }));
    for (const [, needed] of text.matchAll(/\bfrom ["'](\.[^"']+\.js)["']/g)) await takeAll(new URL(needed, url).href, seen);
  };

  // Explains why a file of the page did not load or did not run.
  const explain = async (url, reason) => {
    try {
      await takeAll(url, new Set());
    } catch (wrong) {
      return String(wrong);
    }
    const what = nameOf(url);
    return unfit(`${what} did not run${reason ? ` (${reason})` : ""}: it is damaged or belongs to another build.`, what);
  };

  const sameBuild = (files) => {
    const other = files.find(([, build]) => build !== BUILD);
    if (other) throw unfit(`The files of this page are of two builds: ${other[0]} does not belong to boot.js.`, other[0]);
  };

  // Turns the error of a module that does not start into a sentence.
  const notStarted = (reason) => {
    const text = String(reason);
    if (text.startsWith("cannot draw")) {
      return say(
        `This browser gives the page no WebGL 2 to draw with (${text}). Switch hardware acceleration on, update the browser, or try another.`,
        `Dieser Browser hat kein WebGL 2 (${text}). Schalte die Hardwarebeschleunigung ein, aktualisiere den Browser oder nimm einen anderen.`,
        `Este navegador no tiene WebGL 2 (${text}). Activa la aceleración por hardware, actualiza el navegador o prueba otro.`,
      );
    }
    if (reason instanceof WebAssembly.LinkError || text.startsWith("the page has no")) {
      return unfit(`The files of this page do not fit together (${text}).`, text);
    }
    return say(
      `The game did not start (${text}). Reload the page.`,
      `Das Spiel ist nicht gestartet (${text}). Lade die Seite neu.`,
      `El juego no se ha iniciado (${text}). Recarga la página.`,
    );
  };

  // Fetches the program of a script and starts it.
  const start = async (glue, binary) => {
    const early = document.querySelector("link[data-bytes]");
    const bytes = await take(binary, {}, early && early.href === binary ? Number(early.dataset.bytes) : 0);
    let module;
    try {
      module = await WebAssembly.compile(bytes);
    } catch (reason) {
      const name = nameOf(binary);
      throw say(
        `${name} cannot be used (${reason}): it is damaged, or this browser is too old for it. Reload the page, or try another browser.`,
        `${name} ist beschädigt, oder dieser Browser ist zu alt (${reason}). Lade die Seite neu, oder nimm einen anderen Browser.`,
        `${name} está dañado, o este navegador es demasiado viejo (${reason}). Recarga la página o prueba otro navegador.`,
      );
    }
    const stamps = WebAssembly.Module.customSections(module, "build");
    sameBuild([[nameOf(binary), stamps.length ? new TextDecoder().decode(stamps[0]) : ""]]);
    parts = binary.replace("bg.wasm", "");
    // The program says what is in the table of settings.js.
    await window.broadside.language;
    try {
      await glue.default({ module_or_path: module });
    } catch (reason) {
      throw notStarted(reason);
    }
  };

  // Loads a part of the program that a first visit does without (xtask/src/split.rs). 0: the rest, soon. When the program is about to call
  // it, before anything else happens: 1: the rest, 2: the simple renderer.
  let parts = "";
  const linked = {};
  const rest = (number) => {
    const part = number > 1 ? "flat" : "rest";
    if (linked[part]) return;
    const url = `${parts}${part}.wasm`;
    const link = (module) => linked[part] || (linked[part] = new WebAssembly.Instance(module, { a: window.broadside.program }));
    if (number === 0) {
      fetch(url)
        .then((answer) => answer.arrayBuffer())
        .then((bytes) => WebAssembly.compile(bytes))
        .then(link)
        // It is tried again when it is needed.
        .catch(() => {});
      return;
    }
    const ask = new XMLHttpRequest();
    try {
      ask.open("GET", url, false);
      // The bytes as they are, as one character each.
      ask.overrideMimeType("text/plain; charset=x-user-defined");
      ask.send();
      link(new WebAssembly.Module(Uint8Array.from(ask.responseText, (byte) => byte.charCodeAt(0))));
    } catch (reason) {
      fail(absent(nameOf(url)));
      throw reason;
    }
  };

  // Loads the script at `path`, starts its program if it has one, and gives what it exports. `build` is that of the script that asks.
  const load = async (path, build, asker) => {
    const script = `${folder}${path}.js`;
    try {
      if (typeof WebAssembly !== "object") {
        throw say(
          "This browser has no WebAssembly, or it is switched off. Switch it on, update the browser, or try another.",
          "Dieser Browser hat kein WebAssembly, oder es ist ausgeschaltet. Schalte es ein, aktualisiere den Browser oder nimm einen anderen.",
          "Este navegador no tiene WebAssembly, o está desactivado. Actívalo, actualiza el navegador o prueba otro.",
        );
      }
      const meta = document.querySelector("meta[name=build]");
      sameBuild([["this page", meta && meta.content], [asker, build]]);
      pending = nameOf(script);
      let glue;
      try {
        glue = await import(script);
      } catch (reason) {
        throw await explain(script, reason);
      }
      sameBuild([[nameOf(script), glue.build]]);
      if (glue.default) await start(glue, `${folder}${path}_bg.wasm`);
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
        fail(
          say(
            "The game has stopped because of an internal error. Reload the page to continue; your seat is kept for a moment.",
            "Das Spiel ist wegen eines internen Fehlers stehen geblieben. Lade die Seite neu, um weiterzuspielen; dein Platz bleibt dir einen Moment.",
            "El juego se ha parado por un error interno. Recarga la página para seguir; tu plaza se guarda un momento.",
          ),
        );
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
    // The address bar will show deeper paths, which would change what relative links mean and reload the icon each time.
    for (const link of document.querySelectorAll("a[href], link[rel=icon]")) link.href = link.href;
    if (!pending) pending = Array.from(document.querySelectorAll("script[type=module]"), (script) => nameOf(script.src)).join(", ");
  });
  setTimeout(() => {
    if (failed || ready) return;
    const text = say(
      `Still loading: ${pending} has not loaded after ${PATIENCE_MS / 1000} s. The connection is slow, or something on the way holds it back.`,
      `Lädt noch: ${pending} ist nach ${PATIENCE_MS / 1000} s nicht geladen. Die Verbindung ist langsam, oder etwas unterwegs hält es auf.`,
      `Todavía carga: ${pending} no ha llegado en ${PATIENCE_MS / 1000} s. La conexión es lenta, o algo en el camino lo retiene.`,
    );
    inPage(() => show(text, "slow"));
  }, PATIENCE_MS);

  window.broadside = { errors, base, folder, load, renew, rest, state: () => ({ phase: failed ? "failed" : "loading" }) };
})();
