//! A page whose files are missing, mixed or not ours says so, and offers to reload.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use crate::driver::Browser;
use crate::path::{Habits, Proxy};
use crate::server::Server;
use crate::{SMALL, setup};

const HTML: &[u8] = b"<!doctype html><title>Log in</title><p>Welcome to our network. Please log in.";
const GLUE: &str = "game.js";
const WASM: &str = "game_bg.wasm";

/// A copy of the site that can be broken; it is gone with this value.
struct Site {
    folder: PathBuf,
    /// How often it was mended, which its folder of the build is named after.
    mended: Cell<u32>,
}

impl Site {
    fn new(name: &str) -> Self {
        let folder = format!("{}/site-{name}-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
        let site = Site { folder: folder.into(), mended: Cell::new(0) };
        site.mend();
        site
    }

    /// Makes everything as it was built, except for the name of the folder of the build: by this one no browser keeps what is in it, and
    /// each time it is another, so that a browser that is short of time cannot show what it had from the last one.
    fn mend(&self) {
        _ = fs::remove_dir_all(&self.folder);
        copy(&setup::site(), &self.folder);
        self.mended.set(self.mended.get() + 1);
        let copied = format!("copy-{}", self.mended.get());
        let build = self.path_of("");
        fs::rename(&build, build.with_file_name(&copied)).expect("it can be renamed");
        let name = build.file_name().expect("it has a name").to_str().expect("it is text");
        for page in ["index.html", "r/index.html", "wire.html"] {
            self.change(page, |bytes| replaced(&bytes, &format!("v/{name}/"), &format!("v/{copied}/")));
        }
    }

    /// Where a file is: a page in the folder itself, what pages load in that of the build.
    fn path_of(&self, name: &str) -> PathBuf {
        if name.ends_with(".html") {
            return self.folder.join(name);
        }
        let mut builds = fs::read_dir(self.folder.join("v")).expect("the site has the folder of a build");
        builds
            .next()
            .expect("there is one")
            .expect("it can be read")
            .path()
            .components()
            .collect::<PathBuf>()
            .join(name)
    }

    /// Takes a file away, with its compressed siblings.
    fn remove(&self, name: &str) {
        for ending in ["", ".br", ".gz"] {
            let mut path = self.path_of(name).into_os_string();
            path.push(ending);
            _ = fs::remove_file(path);
        }
    }

    /// Puts something else in a file's place.
    fn replace(&self, name: &str, bytes: &[u8]) {
        self.remove(name);
        fs::write(self.path_of(name), bytes).expect("it can be written");
    }

    /// Changes a file.
    fn change(&self, name: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
        let bytes = fs::read(self.path_of(name)).expect("it is there");
        let changed = change(bytes.clone());
        assert_ne!(changed, bytes, "{name} was not changed");
        self.replace(name, &changed);
    }

    /// Makes a file one of another build: its number is another.
    fn age(&self, name: &str) {
        let page = fs::read_to_string(self.folder.join("index.html")).expect("it is there");
        let (_, build) = page.split_once("name=\"build\" content=\"").expect("the page has a number");
        let build = build.split('"').next().expect("it ends").as_bytes().to_vec();
        let other: Vec<u8> = build.iter().rev().copied().collect();
        self.change(name, |mut bytes| {
            for at in 0..=bytes.len().saturating_sub(build.len()) {
                if bytes[at..].starts_with(&build) {
                    bytes[at..at + build.len()].copy_from_slice(&other);
                }
            }
            bytes
        });
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.folder);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("it can be made");
    for entry in fs::read_dir(from).expect("the site was built") {
        let entry = entry.expect("it can be read");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("it can be copied");
        }
    }
}

fn replaced(bytes: &[u8], old: &str, new: &str) -> Vec<u8> {
    String::from_utf8(bytes.to_vec()).expect("it is text").replace(old, new).into_bytes()
}

#[tokio::test]
async fn a_broken_page_says_what_is_broken_and_offers_to_reload() {
    type Break = fn(&Site);
    let cases: [(&str, Break, &str); 16] = [
        ("no wasm", |site| site.remove(WASM), "game_bg.wasm is missing"),
        ("a portal for the wasm", |site| site.replace(WASM, HTML), "instead of game_bg.wasm"),
        ("half a wasm", |site| site.change(WASM, |bytes| bytes[..bytes.len() / 2].to_vec()), "cannot be used"),
        ("another wasm", |site| site.age(WASM), "two builds: game_bg.wasm"),
        ("no glue", |site| site.remove(GLUE), "game.js is missing"),
        ("a portal for the glue", |site| site.replace(GLUE, HTML), "instead of game.js"),
        ("another glue", |site| site.age(GLUE), "two builds: game.js"),
        (
            "a glue that lacks what the wasm needs",
            |site| site.change(GLUE, |b| replaced(&b, "\"./game_bg.js\": import0", "\"./game_bg.js\": {}")),
            "do not fit",
        ),
        ("a glue that is no script", |site| site.replace(GLUE, b"let let = 1;"), "game.js did not run"),
        ("no start", |site| site.remove("start.js"), "start.js is missing"),
        ("a portal for the start", |site| site.replace("start.js", HTML), "instead of start.js"),
        ("another start", |site| site.age("start.js"), "two builds: start.js"),
        ("another page", |site| site.age("index.html"), "two builds: this page"),
        (
            "a page without what the program needs",
            |site| {
                site.change("index.html", |b| replaced(&b, "id=\"chat-log\"", ""));
            },
            "#chat-log",
        ),
        ("no style", |site| site.remove("game-page.css"), "game-page.css is missing"),
        ("no boot", |site| site.remove("boot.js"), "boot.js"),
    ];
    let site = Site::new("broken");
    let server = Server::start_serving(&site.folder).await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/healthz")).await;
    for (what, break_it, says) in cases {
        site.mend();
        break_it(&site);
        page.visit(&server.url("/?effects=low")).await;
        page.wait_for_text("#loading", says).await;
        let text = page.text("#loading").await;
        assert!(text.contains("Reload") && !text.contains("WebGL"), "{what}: {text}");
        assert_eq!(page.text("#loading button").await, "Reload", "{what}");
        if what == "no glue" {
            let file = setup::artifacts().join("broken.png");
            fs::write(&file, page.picture().await).expect("the folder of artifacts can be written");
        }
    }

    site.mend();
    site.remove(WASM);
    page.visit(&server.url("/?effects=low&lang=de")).await;
    page.wait_for_text("#loading", "passen nicht zusammen (game_bg.wasm)").await;
    assert_eq!(page.text("#loading button").await, "Neu laden");

    site.mend();
    page.click("#loading button").await;
    page.wait_for("the game after a reload", |state| state["phase"] == "menu").await;
}

#[tokio::test]
async fn a_page_without_any_script_says_so() {
    let site = Site::new("bare");
    site.remove("boot.js");
    site.remove("start.js");
    let server = Server::start_serving(&site.folder).await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/r/K7QF2M")).await;
    let note = page.wait_for_element("#late").await;
    assert!(note.text().await.is_ok_and(|text| text.contains("has not loaded yet")));
    site.mend();
    page.click("#late a").await;
    page.wait_for("the game after a reload", |state| state["phase"] == "menu" || state["phase"] == "connecting").await;
    assert!(page.address().await.ends_with("/r/K7QF2M"), "{}", page.address().await);
}

#[tokio::test]
async fn a_file_that_never_comes_is_named_after_a_while() {
    let server = Server::start().await;
    let proxy = Proxy::before(&server, Habits { stalls: Some(".wasm"), ..Habits::default() }).await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &proxy.url("/?effects=low")).await;
    page.wait_for_text("#loading", "game_bg.wasm has not loaded").await;
    assert_eq!(page.text("#loading button").await, "Reload");
}

#[tokio::test]
async fn a_developers_page_says_what_it_lacks() {
    let site = Site::new("dev");
    let server = Server::start_serving(&site.folder).await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/healthz")).await;
    for file in ["dev/client/index.js", "dev/client/layout.js", "dev/link.js"] {
        site.mend();
        site.remove(file);
        page.visit(&server.url("/wire")).await;
        page.wait_for_text("#loading", &format!("{file} is missing")).await;
        assert_eq!(page.text("#loading button").await, "Reload");
    }
}
