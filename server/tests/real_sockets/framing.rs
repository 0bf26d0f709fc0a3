//! Frames of other sites, and links in messengers.

use crate::http::{Reply, get};
use crate::scene::Server;

/// A page as the game's is built, as far as links go.
const PAGE: &[u8] = b"<!doctype html><title>Dots</title>\n<meta property=\"og:type\" content=\"website\">\n\
                      <meta property=\"og:title\" content=\"Dots\">\n<meta property=\"og:description\" content=\"All round.\">\n\
                      <meta property=\"og:image\" content=\"./og.jpg\">\n";
/// Addresses of pages, and of what is no page.
const PLACES: [&str; 8] = ["/", "/index.html", "/r/K7QF2M", "/account", "/admin", "/api/rooms", "/healthz", "/no"];

fn put_pages(server: &Server) {
    for folder in ["r", "embed"] {
        std::fs::create_dir_all(server.folder.0.join(folder)).expect("the temporary folder takes a folder");
    }
    for page in ["index.html", "r/index.html", "embed/index.html", "account.html"] {
        server.folder.put(page, PAGE);
    }
}

/// Who may frame a response: `frame-ancestors`, and whether there is an `X-Frame-Options`.
fn framing(reply: &Reply) -> (String, bool) {
    let policy = reply.header("content-security-policy");
    let ancestors = policy.split("; ").find_map(|directive| directive.strip_prefix("frame-ancestors "));
    (ancestors.unwrap_or("missing").to_owned(), reply.header("x-frame-options") == "DENY")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_view_for_other_sites_can_be_framed_and_only_by_those_that_are_named() {
    let closed = Server::start().await;
    put_pages(&closed);
    let reply = get(closed.address(), "/embed/1", &[]).await;
    assert_eq!((reply.status, framing(&reply)), (200, ("'none'".to_owned(), true)));
    closed.end().await;

    let server = Server::start_with(|config| {
        config.frames.embed_origin = vec!["https://blog.example".parse().expect("an origin")];
    })
    .await;
    put_pages(&server);
    let reply = get(server.address(), "/embed/1", &[]).await;
    assert_eq!((reply.status, framing(&reply)), (200, ("https://blog.example".to_owned(), false)));
    assert_eq!(reply.header("set-cookie"), "");
    for path in PLACES {
        assert_eq!(framing(&get(server.address(), path, &[]).await), ("'none'".to_owned(), true), "{path}");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discord_may_frame_what_it_finds_below_its_own_path_and_its_pages_may_connect() {
    let server = Server::start_with(|config| config.frames.discord_app = Some(42)).await;
    put_pages(&server);
    let reply = get(server.address(), "/discord/?frame_id=1", &[]).await;
    let (ancestors, denied) = framing(&reply);
    assert_eq!((reply.status, denied), (200, false));
    assert!(ancestors.starts_with("https://discord.com "), "{ancestors}");
    for path in PLACES {
        assert_eq!(framing(&get(server.address(), path, &[]).await), ("'none'".to_owned(), true), "{path}");
    }
    // Without a WebSocket, the answer says whether the page may have one.
    for (origin, status) in [("https://42.discordsays.com", 426), ("https://43.discordsays.com", 403)] {
        let reply = get(server.address(), "/discord/ws", &[("origin", origin)]).await;
        assert_eq!(reply.status, status, "{origin}: {}", reply.text());
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_messenger_is_told_of_a_public_room_and_nothing_of_a_private_one() {
    let server = Server::start().await;
    put_pages(&server);
    let host = server.address();
    let public = get(host, "/?room=1", &[]).await.text();
    assert!(public.contains(&format!("property=\"og:image\" content=\"http://{host}/og.jpg\"")), "{public}");
    assert!(public.contains(&format!("property=\"og:url\" content=\"http://{host}/?room=1\"")), "{public}");
    let room = server.room().await;
    let name = room["name"].as_str().expect("it has a name");
    assert!(public.contains(&format!("\"og:title\" content=\"Dots: {name}\"")), "{public}");
    assert!(public.contains("nobody plays yet"), "{public}");
    let (one, other) = (get(host, "/r/K7QF2M", &[]).await.text(), get(host, "/r/AAAAAA", &[]).await.text());
    assert!(one.contains("Join a private game."), "{one}");
    assert_eq!(one.replace("K7QF2M", "AAAAAA"), other);
    // A browser receives the page as it was built.
    let browser = get(host, "/?room=1", &[("sec-fetch-dest", "document")]).await;
    assert_eq!(browser.body, PAGE);
    assert_eq!(browser.header("vary"), "accept-encoding, sec-fetch-dest");
    server.end().await;
}
