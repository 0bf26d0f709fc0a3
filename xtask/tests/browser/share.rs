//! Links and frames for others: the QR code of an invite, and the view of a room that other sites show.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::driver::Browser;
use crate::page::{State, number};
use crate::server::{Bots, Server};
use crate::{DESKTOP, SMALL, setup};

/// The QR code that the page draws, by row and column, read from its picture.
const MODULES: &str = "const svg = document.querySelector('.qr svg');
    const size = svg.viewBox.baseVal.width;
    const dark = new Set(svg.querySelector('path').getAttribute('d').match(/M\\d+ \\d+/g));
    return Array.from({ length: size }, (_, y) => Array.from({ length: size }, (_, x) => dark.has(`M${x} ${y}`)))";

#[tokio::test]
async fn the_qr_code_of_an_invite_is_its_link() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(DESKTOP, &server.url("/?name=Ann&effects=low")).await;
    page.wait_for("the lobby", |state| state["connected"] == true).await;
    page.click("[data-act='create:duel']").await;
    page.wait_for_element("#invite").await;
    let link = page.value("#invite-link").await;
    page.click("[data-qr='invite-link']").await;
    page.wait_for_element("#invite .qr svg").await;
    let file = setup::artifacts().join("qr.png");
    std::fs::write(&file, page.picture().await).expect("the folder of artifacts can be written");
    let modules: Vec<Vec<bool>> =
        serde_json::from_value(page.script(MODULES, Vec::new()).await).expect("rows of modules");
    assert_eq!(read(&modules), link);
    page.click("[data-qr='invite-link']").await;
    assert_eq!(page.count("#invite .qr").await, 0, "the same button hides it");
    assert_eq!((page.errors().await, page.console().await), (vec![], vec![]));
}

/// Reads a QR code as a camera would see it.
fn read(modules: &[Vec<bool>]) -> String {
    const PIXELS: usize = 4;
    let side = modules.len() * PIXELS;
    let mut seen = rqrr::PreparedImage::prepare_from_bitmap(side, side, |x, y| modules[y / PIXELS][x / PIXELS]);
    let grids = seen.detect_grids();
    assert_eq!(grids.len(), 1, "one code");
    grids[0].decode().expect("it can be read").1
}

/// The site of somebody else: a page with `frame` in a frame. Gives its address.
async fn foreign_site(frame: String) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let page = format!(
                "<!doctype html><title>blog</title><iframe src=\"{frame}\" width=\"600\" height=\"320\"></iframe>"
            );
            let mut request = [0; 4096];
            // A browser that goes away ends its connections as it likes.
            _ = stream.read(&mut request).await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\n", page.len());
            _ = stream.write_all(format!("{head}connection: close\r\n\r\n{page}").as_bytes()).await;
        }
    });
    format!("http://127.0.0.1:{port}/")
}

#[tokio::test]
async fn another_site_shows_a_room_in_a_frame_without_a_trace_and_nothing_else_of_us() {
    let server = Server::start_with_flags(&["--embed-origin", "any"]).await;
    let _bots = Bots::start(&server, 3);
    let browser = Browser::start().await;
    let site = foreign_site(server.url("/embed/1?effects=simple")).await;
    let page = browser.open(DESKTOP, &site).await;
    page.enter_frame(0).await;
    let watches = |state: &State| state["phase"] == "playing" && number(&state["snapshots"]) > 20.0;
    let state = page.wait_for("the room in the frame", watches).await;
    assert!(state["ship"].is_null(), "it only watches: {state:?}");
    let kept = page.script("return [document.cookie, sessionStorage.length, localStorage.length]", Vec::new()).await;
    assert_eq!(kept, json!(["", 0, 0]));
    const HIDDEN: &str =
        "return ['#chat', '#menu form', '#pause'].every(css => document.querySelector(css).offsetParent === null)";
    assert_eq!(page.script(HIDDEN, Vec::new()).await, json!(true));
    const PLAY: &str = "const link = document.querySelector('#embed-play'); return [link.href, link.target, link.rel]";
    assert_eq!(page.script(PLAY, Vec::new()).await, json!([server.url("/?room=1"), "_blank", "noopener"]));
    assert_eq!(page.errors().await, Vec::<String>::new());
    let file = setup::artifacts().join("embed.png");
    std::fs::write(&file, page.picture().await).expect("the folder of artifacts can be written");

    let framed = foreign_site(server.url("/?effects=low")).await;
    let page = browser.open(SMALL, &framed).await;
    page.enter_frame(0).await;
    let shown = page.script("return [!!window.broadside, location.href]", Vec::new()).await;
    assert_eq!(shown[0], json!(false), "the game itself is not shown in a frame: {shown}");
}
