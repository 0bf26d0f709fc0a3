// Keeps the settings with the account of whoever keeps a name: takes those of the account when the page is loaded, unless this browser has
// newer ones, and sends what changes. The pages about the account say whether there is one.
const { base, settings } = window.broadside;
// What depends on the machine stays in the browser.
const OWN = ["effects", "cap", "graph"];
// Text of the settings that the account and this browser had last in common.
const SENT = "broadside.sent";
// Time without a change after which changes are sent.
const PAUSE_MS = 1000;

// Sorted, so that equal settings have equal texts.
const shared = (values) => JSON.stringify(Object.entries(values).filter(([key, value]) => !OWN.includes(key) && value !== undefined).sort());
const forget = () => ["broadside.kept", SENT].forEach((key) => localStorage.removeItem(key));

const ask = async (request) => {
  const answer = await fetch(`${base}api/account/settings`, { headers: { "content-type": "application/json" }, ...request });
  // Signed out, or a guest again.
  if (answer.status === 401 || answer.status === 409) forget();
  if (!answer.ok) throw new Error(`the settings of the account: the server answered ${answer.status}`);
  return answer;
};

const send = async () => {
  if (!localStorage.getItem("broadside.kept")) return;
  const text = shared(settings.values);
  if (text === localStorage.getItem(SENT)) return;
  await ask({ method: "PUT", body: JSON.stringify(Object.fromEntries(JSON.parse(text))), keepalive: true });
  localStorage.setItem(SENT, text);
};

const take = async () => {
  const { settings: kept } = await (await ask()).json();
  const [here, sent] = [shared(settings.values), localStorage.getItem(SENT)];
  if (!kept || kept.version !== settings.values.version || (sent !== null && sent !== here)) return send();
  const gone = Object.keys(settings.values).filter((key) => !OWN.includes(key) && !(key in kept));
  localStorage.setItem(SENT, shared(kept));
  if (shared(kept) !== here) settings.set({ ...Object.fromEntries(gone.map((key) => [key, undefined])), ...Object.fromEntries(Object.entries(kept).filter(([key]) => !OWN.includes(key))) });
};

let waiting;
const tell = (wrong) => console.warn(String(wrong));
addEventListener("broadside-settings", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => send().catch(tell), PAUSE_MS);
});
// What was changed a moment ago goes along with the page.
addEventListener("pagehide", () => send().catch(() => {}));
take().catch(tell);
