//! What phones and messengers take from the page: the manifest with its icons, the picture of a link, the link itself.

use serde_json::json;

use crate::SMALL;
use crate::driver::Browser;
use crate::page::State;
use crate::server::Server;

/// Follows the page's links to what is an image, and gives where each is and how large.
const PICTURES: &str = "const size = async (from, url) => {
        const picture = await createImageBitmap(await (await fetch(new URL(url, from))).blob());
        return [new URL(url, from).pathname, `${picture.width}x${picture.height}`];
    };
    return (async () => {
        const link = document.querySelector('link[rel=manifest]').href;
        const { icons } = await (await fetch(link)).json();
        const found = [];
        for (const { src, sizes } of icons) found.push([...await size(link, src), sizes]);
        found.push(await size(location, document.querySelector('link[rel=apple-touch-icon]').href));
        found.push(await size(location, document.querySelector('meta[property=\"og:image\"]').content));
        return found;
    })()";

#[tokio::test]
async fn the_manifest_its_icons_and_the_picture_of_a_link_are_there_at_every_address() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?effects=low")).await;
    for path in ["/?effects=low", "/r/K7QF2M?effects=low"] {
        page.visit(&server.url(path)).await;
        page.wait_for("the page to run", |state| state["phase"].is_string()).await;
        let pictures = page.script(PICTURES, Vec::new()).await;
        let wanted = json!([
            ["/icon-192.png", "192x192", "192x192"],
            ["/icon-512.png", "512x512", "512x512"],
            ["/icon-maskable.png", "512x512", "512x512"],
            ["/icon-apple.png", "180x180"],
            ["/og.jpg", "1200x630"],
        ]);
        assert_eq!(pictures, wanted, "{path}");
    }
    const MANIFEST: &str = "return (async () => {
        const link = document.querySelector('link[rel=manifest]').href;
        const { name, start_url, display } = await (await fetch(link)).json();
        return [name, new URL(start_url, link).pathname, display];
    })()";
    assert_eq!(page.script(MANIFEST, Vec::new()).await, json!(["Broadside", "/", "standalone"]));
    assert_eq!(page.errors().await, Vec::<String>::new());
    assert_eq!(page.console().await, Vec::<String>::new(), "the policy allows all of them");
}

#[tokio::test]
async fn an_invite_link_is_handed_to_the_system_where_it_takes_links() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?name=Ann&effects=low")).await;
    page.wait_for("the lobby", |state| state["connected"] == true).await;
    page.script(
        "navigator.share = what => { window.shared = what; return Promise.reject(new Error('no')); }",
        Vec::new(),
    )
    .await;
    page.click("[data-act='create:duel']").await;
    page.wait_for_element("#invite").await;
    let link = page.value("#invite-link").await;
    // It is hidden where the browser had nothing of the kind when the page began.
    page.press("#invite-share").await;
    let shared = page.script("return window.shared", Vec::new()).await;
    assert_eq!(shared, json!({ "title": "Broadside", "url": link }));
    page.click("[data-act='in']").await;
    page.wait_for("a ship to steer", State::is_playing).await;
    page.script("window.shared = null", Vec::new()).await;
    page.press("#pause-share").await;
    assert_eq!(page.script("return window.shared.url", Vec::new()).await, json!(link));
    assert_eq!(page.errors().await, Vec::<String>::new(), "people may change their mind");
}

#[tokio::test]
async fn without_a_network_a_page_offers_to_try_again_and_does_when_the_server_is_back() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?effects=low")).await;
    page.wait_for("the lobby", |state| state["connected"] == true).await;
    // Until it is active, it sees no request.
    const ACTIVE: &str = "return navigator.serviceWorker.ready.then(found => [found.scope, found.active.scriptURL])";
    let active = page.script(ACTIVE, Vec::new()).await;
    assert_eq!(active, json!([server.url("/"), server.url("/sw.js")]));
    const KEPT: &str = "return (async () => {
        const kept = [];
        for (const name of await caches.keys()) kept.push(...await (await caches.open(name)).keys());
        return kept.map(({ url }) => url.slice(window.broadside.folder.length));
    })()";
    assert_eq!(page.script(KEPT, Vec::new()).await, json!(["offline.html"]), "no program and no page of the game");
    let port = server.kill().await;
    page.reload().await;
    page.wait_for_text("h1", "You are offline").await;
    let file = crate::setup::artifacts().join("offline.png");
    std::fs::write(&file, page.picture().await).expect("the folder of artifacts can be written");
    let _server = Server::start_on(port).await;
    page.click("main[lang=en] .again").await;
    page.wait_for("the lobby", |state| state["connected"] == true).await;
}

#[tokio::test]
async fn a_second_visit_asks_for_one_page_and_nothing_that_it_has() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?effects=low")).await;
    page.wait_for("the lobby", |state| state["connected"] == true).await;
    page.visit(&server.url("/account")).await;
    page.visit(&server.url("/?effects=low&again=1")).await;
    page.wait_for("the lobby", |state| state["connected"] == true).await;
    // What comes from the browser's cache transfers nothing.
    const TRANSFERRED: &str = "return performance.getEntriesByType('resource')
        .filter(entry => !new URL(entry.name).pathname.startsWith('/api/') && entry.transferSize > 0)
        .map(entry => entry.name)";
    assert_eq!(page.script(TRANSFERRED, Vec::new()).await, json!([]));
    const NAMES: &str = "return [...document.querySelectorAll('script[src], link[rel=stylesheet]')]
        .every(({ src, href }) => /\\/v\\/[0-9a-f]{16}\\//.test(src || href))";
    assert_eq!(page.script(NAMES, Vec::new()).await, json!(true));
}

#[tokio::test]
async fn a_page_that_asks_for_a_fresh_one_reloads_once_and_not_again() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?effects=low")).await;
    page.wait_for("the menu", |state| state["phase"] == "menu").await;
    page.script("window.before = true", Vec::new()).await;
    assert_eq!(page.script("return window.broadside.renew()", Vec::new()).await, json!(true));
    page.wait_for_script("a fresh page", "return window.before === undefined && !!window.broadside").await;
    page.wait_for("the menu", |state| state["phase"] == "menu").await;
    assert_eq!(page.script("return window.broadside.renew()", Vec::new()).await, json!(false));
}

#[tokio::test]
async fn a_page_whose_revision_the_server_refuses_loads_a_fresh_one_and_only_once() {
    // From the next connection on, the page speaks as one of the next revision would: the number is the third byte of a hello.
    const OTHER: &str = "window.before = true;
        const { send } = WebSocket.prototype;
        WebSocket.prototype.send = function (frame) {
            const bytes = Uint8Array.from(frame);
            if (!this.spoke && bytes[0] === 1 && bytes[1] === 0) bytes[2] += 1;
            this.spoke = true;
            return send.call(this, bytes);
        }";
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?effects=low")).await;
    page.wait_for("the lobby", |state| state["connected"] == true).await;
    page.script(OTHER, Vec::new()).await;
    let server = Server::start_on(server.kill().await).await;
    page.wait_for_script("a fresh page", "return window.before === undefined && !!window.broadside").await;
    page.wait_for("the lobby", |state| state["connected"] == true).await;

    // What a reload has not mended, another will not mend either: then the player is told.
    page.script(OTHER, Vec::new()).await;
    let _server = Server::start_on(server.kill().await).await;
    page.wait_for("the refusal", |state| state["phase"] == "refused").await;
    assert_eq!(page.script("return window.before", Vec::new()).await, json!(true));
}
