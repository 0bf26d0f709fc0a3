// The account: a name that is kept, the ways to sign in, the data.
const page = await window.broadside.load("pages/page", "@build@", "pages/account.js");
const { ask, beside, busy, by, cannotShow, finish, make, note, pageOf, say, sayCount, showWho, Refusal } = page;
const { canPasskeys, makePasskey, signInByPasskey, PasskeyError } = await import("./passkeys.js");

/// Where a flow at a provider is remembered while the browser is there.
const FLOW = "broadside.provider";
let account = null;
let ways = null;

/// Runs what a form or a button starts, and shows the account as it is afterwards.
function does(selector, where, work) {
  const element = by(selector);
  const isForm = element.tagName === "FORM";
  element.addEventListener(isForm ? "submit" : "click", (event) => {
    event.preventDefault();
    const button = isForm ? (event.submitter ?? by("button", element)) : element;
    busy(button, by(where), () => translated(work)).catch(cannotShow);
  });
}

/// A passkey's trouble is shown like the server's.
async function translated(work) {
  try {
    await work();
  } catch (wrong) {
    throw wrong instanceof PasskeyError ? new Refusal(0, wrong.message) : wrong;
  }
}

/// Makes this browser a guest if it is nobody: a name is kept by an account.
async function beSomebody() {
  if (!account) await ask("api/account/token", { method: "POST" });
}

/// The password field of a dialog that asks whether to go on; null if not. Who signed in just now need not prove it, and who has no password
/// signs in again by passkey.
async function confirmation(title, text, yes) {
  const proven = !account.keeps_name || account.confirmed_for_s > 0;
  if (!proven && !account.password && account.passkeys.length) {
    await signInByPasskey();
    account = await ask("api/account");
  }
  const needsPassword = !proven && account.password;
  by("#confirm-title").textContent = title;
  by("#confirm-text").textContent = text;
  by("#confirm-yes").textContent = yes;
  by("#confirm-field").hidden = !needsPassword;
  by("#confirm-password").required = needsPassword;
  by("#confirm-password").value = "";
  const dialog = by("#confirm");
  dialog.returnValue = "no";
  dialog.showModal();
  await new Promise((closed) => dialog.addEventListener("close", closed, { once: true }));
  if (dialog.returnValue !== "yes") return null;
  return needsPassword ? { password: by("#confirm-password").value } : {};
}

const values = (...selectors) => selectors.map((selector) => by(selector).value);

function clear() {
  for (const field of document.querySelectorAll("input[type=password], #recover-code")) field.value = "";
}

// ---- who keeps no name yet ----

does("#keep", "#keep-note", async () => {
  const [name, password] = values("#keep-name", "#keep-password");
  await beSomebody();
  await ask("api/account/keep-name", { body: { name, password } });
  await show(say("account.kept"));
});

does("#keep-passkey", "#keep-note", async () => {
  const [name] = values("#keep-name");
  if (!by("#keep-name").reportValidity()) return;
  await beSomebody();
  await makePasskey(deviceName(), { name });
  await show(say("account.kept"));
});

does("#sign-in", "#sign-in-note", async () => {
  const [name, password] = values("#sign-in-name", "#sign-in-password");
  await ask("api/account/sign-in", { body: { name, password } });
  await show(say("account.signed-in"));
});

does("#sign-in-passkey", "#sign-in-note", async () => {
  await signInByPasskey();
  await show(say("account.signed-in"));
});

does("#recover", "#recover-note", async () => {
  const [code, password] = values("#recover-code", "#recover-password");
  await ask("api/account/recover", { body: { code, password } });
  await show(say("account.recovered"));
});

// ---- who keeps one ----

does("#rename", "#rename-note", async () => {
  await ask("api/account/name", { method: "PUT", body: { name: by("#rename-name").value } });
  await show(say("account.renamed"));
});

does("#password", "#password-note", async () => {
  const [current, fresh] = values("#current-password", "#new-password");
  await ask("api/account/password", { method: "PUT", body: { current: account.password ? current : null, new: fresh } });
  await show(say("account.password.set"));
});

does("#add-passkey", "#passkey-note", async () => {
  const label = by("#passkey-label").value;
  const confirmed = await confirmation(say("account.passkey.add"), say("account.passkey.add.what", { label }), say("account.passkey.add.yes"));
  if (!confirmed) return;
  await makePasskey(label, confirmed);
  await show(say("account.passkey.added"));
});

does("#make-codes", "#codes-note", async () => {
  const confirmed = await confirmation(say("account.codes.ten"), say("account.codes.ten.what"), say("account.codes.ten.yes"));
  if (!confirmed) return;
  const { codes } = await ask("api/account/recovery-codes", { body: confirmed });
  await show(say("account.codes.made"));
  by("#codes").replaceChildren(...codes.map((code) => make("li", {}, code)));
  by("#codes").hidden = false;
});

does("#sign-out", "#sign-out-note", async () => {
  await ask("api/account/sign-out", { method: "POST" });
  await show(say("account.signed-out"));
});

does("#sign-out-everywhere", "#sign-out-note", async () => {
  await ask("api/account/sign-out-everywhere", { method: "POST" });
  await show(say("account.signed-out.everywhere"));
});

does("#delete", "#delete-note", async () => {
  const text = account.keeps_name ? say("account.delete.named", { name: account.name }) : say("account.delete.guest");
  const confirmed = await confirmation(say("account.delete.title"), text, say("account.delete.yes"));
  if (!confirmed) return;
  await ask("api/account", { method: "DELETE", body: confirmed });
  await show(say("account.deleted"));
});

function passkeyRow({ id, label, created_s, used_s }) {
  const name = label || say("account.passkey.unnamed");
  const remove = make("button", { type: "button", className: "slim" }, say("friends.remove"), make("span", { className: "hidden-text" }, ` ${name}`));
  remove.addEventListener("click", () =>
    busy(remove, by("#passkey-note"), () => translated(async () => {
      const confirmed = await confirmation(say("friends.remove.title", { name }), say("account.way.gone"), say("account.passkey.remove"));
      if (!confirmed) return;
      await ask(`api/account/passkeys/${id}`, { method: "DELETE", body: confirmed });
      await show(say("account.passkey.removed"));
    })),
  );
  const times = { made: page.dateOf(created_s), used: page.timeOf(used_s) };
  const history = used_s > created_s ? say("account.passkey.used", times) : say("account.passkey.made", times);
  return make("li", {}, make("span", { className: "name" }, name, make("small", {}, history)), remove);
}

function identityRow({ issuer, subject }) {
  const name = ways.provider ?? new URL(issuer).host;
  const remove = make("button", { type: "button", className: "slim" }, say("account.unlink"), make("span", { className: "hidden-text" }, ` ${name}`));
  remove.addEventListener("click", () =>
    busy(remove, by("#identity-note"), () => translated(async () => {
      const confirmed = await confirmation(say("account.unlink.title", { name }), say("account.way.gone"), say("account.unlink.yes"));
      if (!confirmed) return;
      await ask("api/account/oidc", { method: "DELETE", body: { issuer, subject, ...confirmed } });
      await show(say("account.unlinked"));
    })),
  );
  return make("li", {}, make("span", { className: "name" }, name, make("small", {}, subject)), remove);
}

/// What a passkey made here is called, until its owner says otherwise.
function deviceName() {
  const agent = navigator.userAgent;
  return ["iPhone", "iPad", "Android", "Windows", "Mac", "CrOS", "Linux"].find((name) => agent.includes(name))?.replace("CrOS", "Chromebook") ?? say("account.this-device");
}

// ---- identities at a provider ----

/// A button that leads to the provider.
function providerButton(intent, where) {
  const { provider } = ways;
  const guests = intent === "link" ? say("account.keep.provider", { provider }) : say("account.sign-in.provider", { provider });
  const button = make("button", { type: "button" }, account?.keeps_name ? say("account.link", { provider }) : guests);
  button.addEventListener("click", () =>
    busy(button, by(where), async () => {
      const name = account?.keeps_name ? undefined : by("#keep-name").value;
      if (intent === "link" && !account?.keeps_name && !by("#keep-name").reportValidity()) return;
      if (intent === "link") await beSomebody();
      sessionStorage.setItem(FLOW, JSON.stringify({ intent, name }));
      const { url } = await ask("api/account/oidc/begin", { method: "POST" });
      location.assign(url);
    }),
  );
  return button;
}

/// Finishes what began at the provider, when the browser comes back from there.
async function comeBack() {
  const outcome = location.hash.match(/^#account=(provider|provider-refused)$/)?.[1];
  const flow = JSON.parse(sessionStorage.getItem(FLOW) ?? "null");
  if (!outcome) return "";
  sessionStorage.removeItem(FLOW);
  history.replaceState(null, "", beside("account"));
  if (outcome === "provider-refused" || !flow) throw new Refusal(0, say("account.provider.refused"));
  return finishFlow(flow);
}

async function finishFlow(flow) {
  try {
    await ask("api/account/oidc/finish", { body: flow });
    return flow.intent === "link" ? say("account.linked") : say("account.signed-in");
  } catch (wrong) {
    if (!["identity_taken", "unknown_identity"].includes(wrong.body?.code)) throw wrong;
    offer(wrong);
    return "";
  }
}

/// The identity belongs to another account, or to none: the same flow can end the other way.
function offer(wrong) {
  const other = wrong.body.code === "identity_taken" ? { intent: "sign_in" } : { intent: "link" };
  const text = other.intent === "sign_in" ? say("account.provider.other") : say("account.provider.keep");
  const button = make("button", { type: "button", className: "primary" }, text);
  button.addEventListener("click", () =>
    busy(button, by("#failure"), async () => {
      if (other.intent === "link" && !account?.keeps_name) {
        if (!by("#keep-name").reportValidity()) return;
        other.name = by("#keep-name").value;
        await beSomebody();
      }
      await show(await finishFlow(other));
    }),
  );
  const stay = make("button", { type: "button" }, say("account.provider.leave"));
  stay.addEventListener("click", () => note(by("#failure"), ""));
  note(by("#failure"), `${wrong.message} `);
  by("#failure").append(make("span", { className: "actions" }, button, stay));
}

// ---- the page ----

function showRestrictions(restrictions) {
  const row = ({ kind, until_s, reason }) => {
    const until = { time: page.timeOf(until_s) };
    const text = kind === "ban" ? (until_s ? say("account.banned-until", until) : say("account.banned")) : until_s ? say("account.muted-until", until) : say("account.muted");
    return make("p", { className: "failure" }, `${text}${reason ? `: ${reason}` : "."}`);
  };
  by("#restrictions").replaceChildren(...restrictions.map(row));
}

/// Shows the account as it is now, and says what has just happened.
async function show(happened = "") {
  account = await ask("api/account").catch((wrong) => {
    if (wrong.status === 401) return null;
    throw wrong;
  });
  const keeps = account?.keeps_name ?? false;
  by("#headline").textContent = keeps ? account.name : say("account");
  by("#lead").textContent = keeps ? say("account.since", { date: page.dateOf(account.created_s) }) : say("account.guest");
  showWho(account);
  if (!keeps) by("#who").textContent = say("account");
  by("#guest").hidden = keeps;
  by("#kept").hidden = !keeps;
  by("#data").hidden = !account;
  by("#codes").hidden = true;
  showRestrictions(account?.restrictions ?? []);
  const passkeys = ways.passkeys && canPasskeys();
  by("#keep-passkey-row").hidden = by("#sign-in-passkey").hidden = !passkeys;
  if (!keeps) by("#keep-name").value ||= account?.name ?? "";
  else showKept(passkeys);
  by("#other-ways").replaceChildren(by("#sign-in-passkey"));
  by("#link-provider").replaceChildren();
  if (ways.provider) {
    by(keeps ? "#link-provider" : "#other-ways").append(providerButton(keeps ? "link" : "sign_in", keeps ? "#identity-note" : "#sign-in-note"));
    if (!keeps) by("#keep-provider").replaceChildren(providerButton("link", "#keep-note"));
  }
  clear();
  if (happened) {
    note(by("#failure"), happened, "success");
    by("#content").focus();
    scrollTo({ top: 0 });
  }
  finish("ready", { name: account?.name, keeps, passkeys: account?.passkeys.length ?? 0, password: account?.password ?? false });
}

function showKept(passkeys) {
  by("#rename-name").value = by("#password-name").value = account.name;
  by("#own-page").href = pageOf(account.name);
  by("#current-field").hidden = !account.password;
  by("#current-password").required = account.password;
  by("#password-submit").textContent = account.password ? say("account.password.change") : say("account.password.new");
  by("#passkeys").hidden = !passkeys && !account.passkeys.length;
  by("#add-passkey").hidden = !passkeys;
  by("#passkey-label").value ||= deviceName();
  by("#passkey-list").replaceChildren(...account.passkeys.map(passkeyRow));
  by("#no-passkey").hidden = account.passkeys.length > 0;
  by("#identities").hidden = !ways.provider && !account.identities.length;
  by("#identity-list").replaceChildren(...account.identities.map(identityRow));
  const left = account.recovery_codes_left;
  by("#codes-left").textContent = left ? sayCount("account.codes.left", left) : say("account.codes.none");
}

try {
  ways = await ask("api/account/sign-in");
  for (const input of document.querySelectorAll("[autocomplete=new-password]")) {
    input.minLength = ways.password_min;
    input.maxLength = ways.password_max;
  }
  await show();
  by("#content").hidden = false;
  const happened = await comeBack().catch((wrong) => {
    note(by("#failure"), wrong.message);
    return "";
  });
  if (happened) await show(happened);
} catch (wrong) {
  cannotShow(wrong);
}
