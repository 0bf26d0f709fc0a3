//! What may be named where.
//!
//! `shared` is also guarded by its own `clippy.toml`, which sees through imports and types. The server's pure folders
//! share a crate with sockets and clocks, where clippy cannot tell them apart: so they are read here, word by word.

use anyhow::Result;

use crate::source::{Finding, SourceFile, code_only, judge, project_files, test_modules, without_tests, words};

/// Some words that are wrong in some places.
struct Rule {
    /// Files and folders that the rule is about.
    inside: &'static [&'static str],
    /// Files and folders in there that it is not about.
    except: &'static [&'static str],
    /// Whether code under `#[cfg(test)]` may do it.
    tests: InTests,
    words: &'static [&'static str],
    why: &'static str,
}

#[derive(PartialEq)]
enum InTests {
    Allowed,
    Banned,
}

/// The folders that must be as pure as `shared` although they live in a crate that is not.
const PURE: &[&str] = &["shared/src", "server/src/room", "server/src/session"];
/// The parts that any game can be put into.
const ENGINE: &[&str] = &[
    "shared/src/protocol",
    "shared/src/replication",
    "shared/src/client",
    "shared/src/game.rs",
    "shared/src/link.rs",
    "server/src/room",
    "server/src/session",
];

const RULES: &[Rule] = &[
    Rule {
        inside: PURE,
        except: &[],
        tests: InTests::Allowed,
        words: &["Instant", "SystemTime"],
        why: "a pure core has no clock: take the time or the tick as an argument",
    },
    Rule {
        inside: PURE,
        except: &[],
        tests: InTests::Allowed,
        words: &["thread", "thread_local", "tokio", "rayon", "Mutex", "RwLock", "DashMap", "dashmap"],
        why: "a pure core is driven from outside: no threads, locks or tasks",
    },
    Rule {
        inside: PURE,
        except: &[],
        tests: InTests::Allowed,
        words: &["HashMap", "HashSet", "RandomState"],
        why: "hash order differs from run to run: use BTreeMap, BTreeSet or a sorted Vec",
    },
    Rule {
        inside: PURE,
        except: &[],
        tests: InTests::Allowed,
        words: &["rand", "getrandom", "thread_rng"],
        why: "chance is state: draw from the seeded generator in the world",
    },
    Rule {
        inside: PURE,
        except: &[],
        tests: InTests::Allowed,
        words: &["TcpStream", "TcpListener", "UdpSocket", "ToSocketAddrs", "axum", "hyper", "web_sys", "js_sys"],
        why: "sockets and the browser live in the shells around a pure core",
    },
    Rule {
        inside: &["server/src"],
        except: &["server/src/residents"],
        tests: InTests::Allowed,
        words: &["fastrand"],
        why: "what it gives to one shows what it gives to others: `secret::number` is from the operating system",
    },
    Rule {
        inside: ENGINE,
        except: &[],
        tests: InTests::Allowed,
        words: &["arena", "Arena"],
        why: "the engine works for any game: go through `trait Game`",
    },
    Rule {
        inside: &["shared", "server", "client-wasm", "bots"],
        except: &["server/src/net", "server/tests", "bots"],
        tests: InTests::Banned,
        words: &["tungstenite", "tokio_tungstenite"],
        why: "one module owns the WebSocket library: `server/src/net` (and the clients in `bots`)",
    },
    Rule {
        inside: &["shared", "server", "client-wasm"],
        except: &["server/src/net", "server/tests", "server/examples"],
        tests: InTests::Banned,
        words: &["rustls", "tokio_rustls", "rcgen"],
        why: "TLS is a matter of the connection: `server/src/net` (and the clients in `bots`)",
    },
    Rule {
        inside: &["shared", "server", "client-wasm", "bots"],
        except: &["shared/src/protocol/codec.rs"],
        tests: InTests::Banned,
        words: &["bincode"],
        why: "one file owns the codec, so that replacing it means editing that file: `shared/src/protocol/codec.rs`",
    },
];

/// What the pure crate may be built from.
const SHARED_MAY_USE: &[&str] =
    &["arrayvec", "bincode", "fastrand", "glam", "libm", "serde", "thiserror", "tracing", "unicode-width"];

/// Checks that pure folders are pure and that arrows between modules point one way.
pub(crate) fn check() -> Result<()> {
    judge(&findings(&project_files()?))
}

fn findings(files: &[SourceFile]) -> Vec<Finding> {
    let mut found = Vec::new();
    let rust: Vec<(&SourceFile, String)> =
        files.iter().filter(|file| file.is_rust()).map(|file| (file, code_only(&file.text))).collect();
    let test_modules = test_modules(&rust);
    for (file, code) in &rust {
        let is_test = test_modules.iter().any(|module| file.is_module(module));
        let product = if is_test { String::new() } else { without_tests(code).0 };
        for rule in RULES.iter().filter(|rule| rule.covers(file)) {
            let code = if rule.tests == InTests::Banned { code } else { &product };
            let wrong = words(code).filter(|(_, word)| rule.words.contains(word));
            found.extend(wrong.map(|(line, word)| Finding {
                path: file.path.clone(),
                line,
                what: format!("`{word}`: {}", rule.why),
            }));
        }
    }
    if let Some(manifest) = files.iter().find(|file| file.path == "shared/Cargo.toml") {
        found.extend(dependencies_of_shared(manifest));
    }
    found
}

impl Rule {
    fn covers(&self, file: &SourceFile) -> bool {
        let among = |places: &[&str]| places.iter().any(|place| file.is_in(place));
        among(self.inside) && !among(self.except)
    }
}

fn dependencies_of_shared(manifest: &SourceFile) -> Vec<Finding> {
    let (mut found, mut in_dependencies) = (Vec::new(), false);
    for (line, number) in manifest.text.lines().map(str::trim).zip(1..) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            in_dependencies = section.ends_with("dependencies") && section != "dev-dependencies";
            continue;
        }
        let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
        if in_dependencies && !name.is_empty() && !name.starts_with('#') && !SHARED_MAY_USE.contains(&name) {
            let allowed = SHARED_MAY_USE.join(", ");
            found.push(Finding {
                path: manifest.path.clone(),
                line: number,
                what: format!("`{name}`: the pure crate is built from these only: {allowed}"),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found_in(path: &str, text: &str) -> Vec<(usize, String)> {
        let files = [SourceFile { path: path.into(), text: text.into() }];
        let word = |what: &str| what.split('`').nth(1).unwrap_or_default().to_string();
        findings(&files).into_iter().map(|finding| (finding.line, word(&finding.what))).collect()
    }

    #[test]
    fn a_clock_in_the_room_is_found_however_it_is_imported() {
        let text = "//! Instant\nuse std::time::{Duration, Instant};\nfn f() -> Instant { std::time::Instant::now() }";
        let line = |line| (line, "Instant".to_string());
        assert_eq!(found_in("server/src/room/room.rs", text), [line(2), line(3), line(3)]);
        assert_eq!(found_in("server/src/session/mod.rs", text).len(), 3);
        assert_eq!(found_in("server/src/net/driver.rs", text), []);
        assert_eq!(found_in("server/src/roommate.rs", text), []);
    }

    #[test]
    fn tests_may_use_what_the_core_may_not() {
        let text = "fn f() {}\n#[cfg(test)]\nmod tests {\n    use std::collections::HashMap;\n}\n";
        assert_eq!(found_in("server/src/room/room.rs", text), []);
    }

    #[test]
    fn a_module_declared_for_tests_is_a_test_wherever_it_lives() {
        let files = [
            SourceFile { path: "shared/src/lib.rs".into(), text: "pub mod game;\n#[cfg(test)]\nmod toy;".into() },
            SourceFile { path: "shared/src/toy.rs".into(), text: "use std::collections::HashSet;".into() },
            SourceFile { path: "shared/src/toy/deep.rs".into(), text: "use std::thread;".into() },
        ];
        assert_eq!(findings(&files), []);
    }

    #[test]
    fn the_engine_never_names_the_game() {
        let text = "use crate::arena::Ship;";
        assert_eq!(found_in("shared/src/replication/delta.rs", text), [(1, "arena".to_string())]);
        assert_eq!(found_in("shared/src/arena/ship.rs", text), []);
    }

    #[test]
    fn each_library_has_one_owner_even_in_tests() {
        let text = "#[cfg(test)]\nmod tests { use bincode::encode; use tokio_tungstenite as t; }";
        assert_eq!(found_in("server/src/http/mod.rs", text).len(), 2);
        assert_eq!(found_in("shared/src/protocol/codec.rs", "use bincode::encode;"), []);
        assert_eq!(found_in("bots/src/socket.rs", "use tokio_tungstenite as t;"), []);
    }

    #[test]
    fn the_pure_crate_gets_no_new_dependency_unseen() {
        let text = "[package]\nname = \"x\"\n[dependencies]\nserde.workspace = true\ntokio = { version = \"1\" }\n\
                    [dev-dependencies]\nproptest.workspace = true\n[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"";
        assert_eq!(found_in("shared/Cargo.toml", text), [(5, "tokio".into()), (9, "libc".into())]);
    }
}
