//! The account of this browser: asked of the server while a connection opens, so that its hello can carry a token. Nothing waits for it
//! for long: who has no account, or a server without a database, plays all the same.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use broadside_shared::protocol::token::AccountToken;
use broadside_shared::time::MonoTime;
use wasm_bindgen::JsValue;

use crate::browser;
use crate::fetch;

/// How long the hello waits for the token once the socket is open, in microseconds. The page starts meanwhile, which keeps a slow device
/// busy for seconds; whoever plays without the token has no results.
const PATIENCE_US: u64 = 4_000_000;

/// An account, as far as the page needs it.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) token: AccountToken,
    /// The name that belongs to it; `None` for a guest.
    pub(crate) name: Option<String>,
}

/// What is known of the browser's account.
#[derive(Debug, Clone)]
pub(crate) enum AccountAnswer {
    Has(Account),
    HasNone,
    /// The page's own server cannot be reached, or not in time. The game may be at another node, for which an earlier token is good too.
    Unknown,
}

/// The account while it is asked for: `None` until there is an answer.
pub(crate) struct AskedAccount {
    /// When the answer was first needed.
    needed_at: Cell<Option<MonoTime>>,
    answer: Rc<RefCell<Option<AccountAnswer>>>,
}

impl AskedAccount {
    /// Asks, and calls `wake` when the answer is there.
    pub(crate) fn ask(wake: Rc<dyn Fn()>) -> AskedAccount {
        if browser::embedded_room().is_some() {
            let answer = Rc::new(RefCell::new(Some(AccountAnswer::HasNone)));
            return AskedAccount { needed_at: Cell::new(None), answer };
        }
        let answer = Rc::new(RefCell::new(None));
        let slot = Rc::clone(&answer);
        fetch::ask("api/account/token", Some("{}"), move |answer| {
            *slot.borrow_mut() = Some(match answer {
                Ok(answer) => read(&answer).map_or(AccountAnswer::HasNone, AccountAnswer::Has),
                Err(why) if why == fetch::unreachable_text() => AccountAnswer::Unknown,
                Err(_) => AccountAnswer::HasNone,
            });
            wake();
        });
        AskedAccount { needed_at: Cell::new(None), answer }
    }

    /// The answer; `None` while it may still come.
    pub(crate) fn answer(&self) -> Option<AccountAnswer> {
        let now = browser::now();
        let needed_at = self.needed_at.get().unwrap_or(now);
        self.needed_at.set(Some(needed_at));
        let late = now.us_since(needed_at) > PATIENCE_US;
        self.answer.borrow().clone().or(late.then_some(AccountAnswer::Unknown))
    }
}

fn read(answer: &JsValue) -> Option<Account> {
    let account = fetch::get(answer, "account");
    let keeps_name = fetch::get(&account, "keeps_name").is_truthy();
    let token = AccountToken::from_text(&fetch::text(answer, "token"))?;
    Some(Account { token, name: keeps_name.then(|| fetch::text(&account, "name")) })
}
