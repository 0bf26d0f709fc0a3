//! What may be named where.
//!
//! The compiler guards the pure crates, `shared` and `server/core`: each has a `clippy.toml` that bans clocks, threads, locks, sockets
//! and hash maps, and sees through imports and types. Read here, word by word, is what it cannot see: macros, whole modules, exceptions
//! from those bans, what a crate is built from, and which part of a crate may name a library.

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

/// The pure crates, and what each may be built from.
const PURE_CRATES: [(&str, &[&str]); 5] = [
    (
        "shared",
        &[
            "arrayvec",
            "bincode",
            "brotli",
            "crc32fast",
            "fastrand",
            "glam",
            "libm",
            "serde",
            "thiserror",
            "tracing",
            "unicode-width",
        ],
    ),
    ("server/core", &["arrayvec", "broadside-shared", "glam", "serde", "thiserror", "tracing"]),
    ("games/arena", &["arrayvec", "broadside-shared", "fastrand", "glam", "libm", "serde"]),
    ("games/puck", &["arrayvec", "broadside-shared", "fastrand", "glam", "serde"]),
    ("xtask/template/game", &["broadside-shared", "fastrand", "glam", "serde"]),
];
const PURE: &[&str] =
    &["shared/src", "server/core/src", "games/arena/src", "games/puck/src", "xtask/template/game/src"];
/// The parts that any game can be put into.
const ENGINE: &[&str] =
    &["shared/src", "store/src", "server/core/src", "server/src", "server/sim/src", "client-wasm/src", "bots/src"];
/// The programs in them that play one game.
const PROGRAMS: &[&str] = &["server/src/main.rs", "bots/src/bin"];

const RULES: &[Rule] = &[
    Rule {
        inside: PURE,
        except: &[],
        tests: InTests::Allowed,
        words: &["thread", "thread_local"],
        why: "a pure core is driven from outside: no threads, and no state beside its arguments",
    },
    Rule {
        inside: PURE,
        except: &[],
        tests: InTests::Allowed,
        words: &["ToSocketAddrs", "fs", "process"],
        why: "the operating system is a matter of the shells around a pure core",
    },
    Rule {
        inside: PURE,
        except: &[],
        tests: InTests::Allowed,
        words: &["disallowed_types", "disallowed_methods", "disallowed_macros"],
        why: "no exceptions from `clippy.toml` in a pure core: take the time, chance or bytes as an argument",
    },
    Rule {
        inside: &["server/src"],
        except: &["server/src/bots"],
        tests: InTests::Allowed,
        words: &["fastrand"],
        why: "what it gives to one shows what it gives to others: `secret::number` is from the operating system",
    },
    Rule {
        inside: ENGINE,
        except: PROGRAMS,
        tests: InTests::Banned,
        words: &["broadside_arena", "arena", "Arena", "broadside_puck", "puck", "Puck"],
        why: "the engine works for any game: go through `trait Game`",
    },
    Rule {
        inside: &["shared", "games", "server", "client-wasm", "bots"],
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
        inside: &["shared", "games", "server", "client-wasm", "bots"],
        except: &["server/tests"],
        tests: InTests::Banned,
        words: &["sqlx"],
        why: "one crate knows the databases: `store`",
    },
    Rule {
        inside: &["shared", "games", "server", "client-wasm", "bots"],
        except: &["server/src/cluster"],
        tests: InTests::Banned,
        words: &["async_nats"],
        why: "one module knows the engine of a cluster: `server/src/cluster`",
    },
    Rule {
        inside: &["shared", "games", "server", "client-wasm", "bots"],
        except: &["shared/src/protocol/codec.rs"],
        tests: InTests::Banned,
        words: &["bincode"],
        why: "one file owns the codec, so that replacing it means editing that file: `shared/src/protocol/codec.rs`",
    },
];

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
    for (folder, may_use) in PURE_CRATES {
        let manifest = format!("{folder}/Cargo.toml");
        found
            .extend(files.iter().filter(|file| file.path == manifest).flat_map(|file| new_dependencies(file, may_use)));
    }
    found.extend(unequal_bans(files));
    found
}

/// Reports where the `clippy.toml` files of the pure crates differ. Their head comments may: they say which crate each is for.
fn unequal_bans(files: &[SourceFile]) -> Vec<Finding> {
    let [(first, _), others @ ..] = PURE_CRATES;
    others.iter().filter_map(|(other, _)| unequal_ban(files, first, other)).collect()
}

fn unequal_ban(files: &[SourceFile], first: &str, second: &str) -> Option<Finding> {
    let of = |folder: &str| {
        let path = format!("{folder}/clippy.toml");
        let lines = files.iter().find(|file| file.path == path)?.text.lines();
        Some(lines.zip(1..).skip_while(|(line, _)| line.starts_with('#')))
    };
    let (mut ours, mut theirs) = (of(first)?, of(second)?);
    let line = loop {
        match (ours.next(), theirs.next()) {
            (Some((our, _)), Some((their, _))) if our == their => {}
            (None, None) => return None,
            (_, their) => break their.map_or(1, |(_, line)| line),
        }
    };
    let what = format!("from here on it differs from {first}/clippy.toml: the pure crates ban the same things");
    Some(Finding { path: format!("{second}/clippy.toml"), line, what })
}

impl Rule {
    fn covers(&self, file: &SourceFile) -> bool {
        let among = |places: &[&str]| places.iter().any(|place| file.is_in(place));
        among(self.inside) && !among(self.except)
    }
}

fn new_dependencies(manifest: &SourceFile, may_use: &[&str]) -> Vec<Finding> {
    let (mut found, mut in_dependencies) = (Vec::new(), false);
    for (line, number) in manifest.text.lines().map(str::trim).zip(1..) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            in_dependencies = section.ends_with("dependencies") && section != "dev-dependencies";
            continue;
        }
        let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
        if in_dependencies && !name.is_empty() && !name.starts_with('#') && !may_use.contains(&name) {
            let allowed = may_use.join(", ");
            found.push(Finding {
                path: manifest.path.clone(),
                line: number,
                what: format!("`{name}`: this pure crate is built from these only: {allowed}"),
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
    fn a_thread_or_an_exception_in_a_pure_crate_is_found() {
        let text = "//! thread\nuse std::thread;\n#[expect(clippy::disallowed_types)]\nfn f() {}";
        let expected = [(2, "thread".to_string()), (3, "disallowed_types".to_string())];
        assert_eq!(found_in("server/core/src/room/mod.rs", text), expected);
        assert_eq!(found_in("shared/src/time.rs", text), expected);
        assert_eq!(found_in("server/src/net/shard.rs", text), []);
        assert_eq!(found_in("server/core/examples/time.rs", text), []);
    }

    #[test]
    fn tests_may_use_what_the_core_may_not() {
        let text = "fn f() {}\n#[cfg(test)]\nmod tests {\n    use std::thread;\n}\n";
        assert_eq!(found_in("server/core/src/room/mod.rs", text), []);
    }

    #[test]
    fn a_module_declared_for_tests_is_a_test_wherever_it_lives() {
        let files = [
            SourceFile { path: "shared/src/lib.rs".into(), text: "pub mod game;\n#[cfg(test)]\nmod toy;".into() },
            SourceFile { path: "shared/src/toy.rs".into(), text: "use std::fs;".into() },
            SourceFile { path: "shared/src/toy/deep.rs".into(), text: "use std::thread;".into() },
        ];
        assert_eq!(findings(&files), []);
    }

    #[test]
    fn the_engine_never_names_the_game() {
        let text = "use crate::arena::Ship;";
        assert_eq!(found_in("shared/src/replication/delta.rs", text), [(1, "arena".to_string())]);
        assert_eq!(found_in("games/arena/src/ship.rs", text), []);
        assert_eq!(found_in("bots/src/bin/load.rs", "use broadside_arena::Arena;"), []);
        assert_eq!(found_in("bots/src/player.rs", "use broadside_arena::Arena;").len(), 2);
    }

    #[test]
    fn each_library_has_one_owner_even_in_tests() {
        let text = "#[cfg(test)]\nmod tests { use bincode::encode; use tokio_tungstenite as t; }";
        assert_eq!(found_in("server/src/http/mod.rs", text).len(), 2);
        assert_eq!(found_in("shared/src/protocol/codec.rs", "use bincode::encode;"), []);
        assert_eq!(found_in("bots/src/socket.rs", "use tokio_tungstenite as t;"), []);
    }

    #[test]
    fn a_pure_crate_gets_no_new_dependency_unseen() {
        let text = "[package]\nname = \"x\"\n[dependencies]\nserde.workspace = true\ntokio = { version = \"1\" }\n\
                    [dev-dependencies]\nproptest.workspace = true\n[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"";
        assert_eq!(found_in("shared/Cargo.toml", text), [(5, "tokio".into()), (9, "libc".into())]);
        assert_eq!(found_in("server/core/Cargo.toml", "[dependencies]\nbytes = \"1\""), [(2, "bytes".into())]);
    }

    #[test]
    fn the_pure_crates_ban_the_same_things() {
        let file = |folder: &str, text: &str| SourceFile { path: format!("{folder}/clippy.toml"), text: text.into() };
        let files = |second| [file("shared", "# shared\n\nbans = [\n    1,\n]\n"), file("server/core", second)];
        assert_eq!(findings(&files("# core\n# of the server\n\nbans = [\n    1,\n]\n")), []);
        assert_eq!(findings(&files("# core\n\nbans = [\n]\n"))[0].line, 4);
        assert_eq!(findings(&files("# core\n\nbans = [\n    1,\n]\nmore = 1\n"))[0].line, 6);
    }
}
