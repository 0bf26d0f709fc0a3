use broadside_store::accounts::{Account, Role, SIGN_INS_MAX};
use broadside_store::credentials::{Identity, Linked, PASSKEYS_MAX, Passkey};
use broadside_store::entrance::Credential;
use broadside_store::period::Season;
use broadside_store::results::Outcome;
use broadside_store::{Store, StoreError};

use crate::{DAY_US, NOON_US, SECOND_US, guest, named, player, record, renewal};

pub(crate) async fn a_guest_is_found_by_its_secret_until_it_signs_out_or_expires(store: Store) {
    store.check().await.expect("an answer");
    let ann = guest(&store, 1).await;
    let found = async |secret: u8, at| store.signed_in([secret; 32], at).await.expect("an answer");
    assert_eq!(found(1, NOON_US).await, Some(ann.clone()));
    assert_eq!(found(2, NOON_US).await, None);
    assert_eq!(found(1, NOON_US + DAY_US).await, None, "it expired");

    // Seen again two hours later.
    let later = NOON_US + 7200 * SECOND_US;
    assert_eq!(found(1, later).await, Some(ann.clone()));
    assert_eq!(store.account(ann.id).await.expect("an answer").expect("an account").seen_us, later);

    for secret in 2..=SIGN_INS_MAX as u8 + 1 {
        store.sign_in(ann.id, renewal(None, secret), later + i64::from(secret)).await.expect("signed in");
    }
    assert_eq!(found(1, later).await, None, "the browser unused longest is signed out");
    store.sign_out([2; 32]).await.expect("signed out");
    assert_eq!(found(2, later).await, None);
    let others = store.sign_out_everywhere(ann.id, Some([3; 32])).await.expect("signed out");
    assert_eq!(others, u64::from(SIGN_INS_MAX) - 2);
    assert!(found(3, later).await.is_some());
    assert_eq!(store.sign_out_everywhere(ann.id, None).await, Ok(1));
}

pub(crate) async fn a_name_belongs_to_one_account_by_all_its_looks(store: Store) {
    let looks = |of: &[&str]| of.iter().map(|look| (*look).to_owned()).collect::<Vec<_>>();
    let (ann, ben) = (guest(&store, 1).await, guest(&store, 2).await);
    let (ann, ben) = if ann.id < ben.id { (ann, ben) } else { (ben, ann) };
    store.keep_name(ann.id, "HENRY", &looks(&["henry", "henpy"])).await.expect("a free name");
    let taken = store.keep_name(ben.id, "henpy", &looks(&["henpy"])).await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))), "{taken:?}");
    let of = async |look: &str| store.account_named(&looks(&["nobody", look])).await.expect("an answer");
    assert_eq!(of("henpy").await.map(|account| (account.id, account.name)), Some((ann.id, "HENRY".to_owned())));
    assert!(
        !store.account(ben.id).await.expect("an answer").expect("an account").keeps_name,
        "nothing of it was written"
    );

    // Another name gives the former one back.
    store.keep_name(ann.id, "Ann", &looks(&["ann"])).await.expect("a free name");
    store.keep_name(ben.id, "henpy", &looks(&["henpy"])).await.expect("free again");
    let kept = async |after| store.kept_names(after, 10).await.expect("an answer");
    assert_eq!(kept(None).await, [(ann.id, "Ann".to_owned()), (ben.id, "henpy".to_owned())]);
    assert_eq!(kept(Some(ann.id)).await, [(ben.id, "henpy".to_owned())]);
    let nobody = broadside_store::accounts::AccountId([9; 16]);
    let unknown = store.keep_name(nobody, "x", &looks(&["x"])).await;
    assert!(matches!(unknown, Err(StoreError::Conflict(_))), "{unknown:?}");
}

pub(crate) async fn credentials_belong_to_one_account(store: Store) {
    let (ann, ben) = (guest(&store, 1).await, guest(&store, 2).await);
    let key = |number: u8| Passkey {
        credential: vec![number; 20],
        body: "{}".to_owned(),
        label: "phone".to_owned(),
        created_us: NOON_US + i64::from(number),
        used_us: NOON_US,
    };
    for number in 0..PASSKEYS_MAX as u8 {
        store.add_passkey(ann.id, &key(number)).await.expect("added");
    }
    let one_more = store.add_passkey(ann.id, &key(99)).await;
    assert!(matches!(one_more, Err(StoreError::Conflict(_))), "{one_more:?}");
    let of_ann = store.add_passkey(ben.id, &key(0)).await;
    assert!(matches!(of_ann, Err(StoreError::Conflict(_))), "{of_ann:?}");
    store.passkey_used(&[1; 20], "{\"counter\":2}", NOON_US + 5).await.expect("used");
    let kept = store.passkeys(ann.id).await.expect("an answer");
    assert_eq!((kept.len(), &*kept[1].body, kept[1].used_us), (PASSKEYS_MAX, "{\"counter\":2}", NOON_US + 5));
    assert_eq!(store.account_of_passkey(&[1; 20]).await.expect("an answer").map(|account| account.id), Some(ann.id));
    assert_eq!(store.remove_passkey(ben.id, &[1; 20]).await, Ok(false), "not Ben's");
    assert_eq!(store.remove_passkey(ann.id, &[1; 20]).await, Ok(true));

    let identity = Identity { issuer: "https://id.example".to_owned(), subject: "42".to_owned() };
    assert_eq!(store.link_identity(ann.id, &identity, NOON_US).await, Ok(Linked::Done));
    assert_eq!(store.link_identity(ann.id, &identity, NOON_US).await, Ok(Linked::Done), "again");
    assert_eq!(store.link_identity(ben.id, &identity, NOON_US).await, Ok(Linked::Taken(ann.id)));
    assert_eq!(store.account_of_identity(&identity).await.expect("an answer").map(|account| account.id), Some(ann.id));
    assert_eq!(store.identities(ann.id).await, Ok(vec![identity.clone()]));
    assert_eq!(store.unlink_identity(ben.id, &identity).await, Ok(false));
    assert_eq!(store.unlink_identity(ann.id, &identity).await, Ok(true));

    store.set_recovery_codes(ann.id, &[[1; 32], [2; 32]], NOON_US).await.expect("set");
    store.set_recovery_codes(ann.id, &[[3; 32], [4; 32]], NOON_US).await.expect("replaced");
    let recover = async |code: u8| store.recover([code; 32], "recovered", renewal(Some(2), 7), NOON_US).await;
    assert_eq!(recover(1).await, Ok(None), "replaced");
    let owner = async |code| store.account_of_recovery_code([code; 32]).await.expect("an answer").map(|found| found.id);
    assert_eq!((owner(1).await, owner(3).await), (None, Some(ann.id)));
    assert_eq!(recover(3).await, Ok(Some(ann.id)));
    assert_eq!(recover(3).await, Ok(None), "used");
    assert_eq!(store.recovery_codes_left(ann.id).await, Ok(1));
    assert_eq!(store.password(ann.id).await, Ok(Some("recovered".to_owned())));
    let of = async |secret: u8| store.signed_in([secret; 32], NOON_US).await.expect("an answer").map(|found| found.id);
    assert_eq!((of(1).await, of(2).await, of(7).await), (None, None, Some(ann.id)), "only the browser that recovered");
}

pub(crate) async fn a_guest_claims_a_name_with_a_credential_or_nothing_happens(store: Store) {
    let (ann, ben, cid) = (guest(&store, 1).await, guest(&store, 2).await, guest(&store, 3).await);
    let look = ["ann".to_owned()];
    let identity = Identity { issuer: "https://id.example".to_owned(), subject: "42".to_owned() };
    let passkey =
        Passkey { credential: vec![1], body: "{}".to_owned(), label: String::new(), created_us: 1, used_us: 1 };
    let claim = async |guest: &Account, name: &str, credential: Credential<'_>, secret: u8| {
        let looks = [name.to_lowercase()];
        store.claim_name(guest.id, (name, &looks), credential, renewal(Some(secret), secret + 10), NOON_US + 9).await
    };
    claim(&ann, "Ann", Credential::Password("hash"), 1).await.expect("a free name");
    assert_eq!(
        store.account_named(&look).await.expect("an answer").map(|found| (found.id, found.keeps_name)),
        Some((ann.id, true))
    );
    assert_eq!(store.password(ann.id).await, Ok(Some("hash".to_owned())));
    assert_eq!(store.signed_in([1; 32], NOON_US).await, Ok(None), "the guest's secret is worth nothing");
    assert_eq!(store.signed_in_at([11; 32]).await, Ok(Some(NOON_US + 9)));

    let again = claim(&ann, "Another", Credential::Password("other"), 11).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "it keeps a name: {again:?}");
    let taken = claim(&ben, "ANN", Credential::Passkey(&passkey), 2).await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))), "{taken:?}");
    assert_eq!(store.passkeys(ben.id).await, Ok(vec![]), "nothing of it was written");
    assert!(store.signed_in([2; 32], NOON_US).await.is_ok_and(|found| found.is_some()));
    claim(&ben, "Ben", Credential::Passkey(&passkey), 2).await.expect("a free name");
    let used = claim(&cid, "Cid", Credential::Passkey(&passkey), 3).await;
    assert!(matches!(used, Err(StoreError::Conflict(_))), "{used:?}");
    claim(&cid, "Cid", Credential::Identity(&identity), 3).await.expect("a free name");
    assert_eq!(store.identities(cid.id).await, Ok(vec![identity]));
}

pub(crate) async fn a_new_password_signs_every_other_browser_out(store: Store) {
    let ann = guest(&store, 1).await;
    store.sign_in(ann.id, renewal(None, 2), NOON_US).await.expect("signed in");
    store.change_password(ann.id, "first", renewal(None, 3).sign_in, NOON_US + 1).await.expect("set");
    store.change_password(ann.id, "second", renewal(None, 4).sign_in, NOON_US + 2).await.expect("changed");
    assert_eq!(store.password(ann.id).await, Ok(Some("second".to_owned())));
    assert_eq!(store.password_changed(ann.id).await, Ok(Some(NOON_US + 2)));
    let browsers = store.browsers(ann.id).await.expect("an answer");
    assert_eq!(browsers.len(), 1);
    assert_eq!((browsers[0].signed_in_us, browsers[0].expires_us), (NOON_US + 2, NOON_US + DAY_US));
    store.sign_in(ann.id, renewal(Some(4), 5), NOON_US + 3).await.expect("signed in again");
    assert_eq!(store.signed_in([4; 32], NOON_US).await, Ok(None), "replaced");
    assert!(store.signed_in([5; 32], NOON_US).await.is_ok_and(|found| found.is_some()));
    assert_eq!(store.password(guest(&store, 9).await.id).await, Ok(None));
}

pub(crate) async fn a_deleted_account_leaves_results_without_a_name(store: Store) {
    let (ann, ben) = (named(&store, 1, "Ann").await, named(&store, 2, "Ben").await);
    let duel = record("duel", NOON_US, vec![player(&ann, 10, Outcome::Won), player(&ben, 4, Outcome::Lost)]);
    store.record(std::slice::from_ref(&duel), Season::Quarter).await.expect("recorded");
    store.befriend(ann.id, ben.id, NOON_US).await.expect("asked");
    store.mute(ben.id, ann.id, NOON_US).await.expect("muted");
    assert_eq!(store.all_totals(ann.id).await.expect("an answer").len(), 4, "all time, day, week, season");
    store.delete_account(ann.id).await.expect("deleted");

    assert_eq!(store.account(ann.id).await, Ok(None));
    assert_eq!(store.signed_in([1; 32], NOON_US).await, Ok(None));
    assert_eq!(store.account_named(&["ann".to_owned()]).await, Ok(None), "the name is free");
    assert_eq!(store.mutes(ben.id).await, Ok(vec![]));
    assert_eq!(store.friends(ben.id).await, Ok(vec![]));
    assert_eq!(store.totals(ann.id).await, Ok(vec![]));
    let kept = store.results_of_match(duel.id).await.expect("an answer");
    let players: Vec<_> =
        kept.iter().map(|kept| (kept.player.account, &*kept.player.name, kept.player.score)).collect();
    assert_eq!(players, [(None, "", 10), (Some(ben.id.0), "Ben", 4)]);
    // A result that was still on its way.
    let late = record("duel", NOON_US, vec![player(&ann, 10, Outcome::Won), player(&ben, 4, Outcome::Lost)]);
    assert_eq!(store.record(&[late], Season::Quarter).await, Ok(2));
    assert_eq!(store.totals(ann.id).await, Ok(vec![]));
}

pub(crate) async fn unused_guests_are_forgotten_and_others_are_not(store: Store) {
    let (idle, played, keeper) = (guest(&store, 1).await, guest(&store, 2).await, named(&store, 3, "Kim").await);
    let stay = record("open", NOON_US, vec![player(&played, 2, Outcome::None)]);
    store.record(&[stay], Season::Quarter).await.expect("recorded");
    assert_eq!(store.forget_unused(NOON_US, NOON_US).await, Ok(0), "seen just now");
    assert_eq!(store.forget_unused(NOON_US + 1, NOON_US).await, Ok(1));
    assert_eq!(store.account(idle.id).await, Ok(None));
    for kept in [played.id, keeper.id] {
        assert!(store.account(kept).await.expect("an answer").is_some_and(|account| account.role == Role::Player));
    }
}

pub(crate) async fn settings_are_an_accounts_own_and_go_with_it(store: Store) {
    let (ann, ben) = (named(&store, 1, "Ann").await, guest(&store, 2).await);
    assert_eq!(store.settings(ann.id).await, Ok(None));
    for body in ["{\"text\":115}", "{\"text\":130}"] {
        store.set_settings(ann.id, body, NOON_US).await.expect("set");
        assert_eq!(store.settings(ann.id).await, Ok(Some(body.to_owned())));
    }
    assert_eq!(store.settings(ben.id).await, Ok(None));
    store.delete_account(ann.id).await.expect("deleted");
    assert_eq!(store.settings(ann.id).await, Ok(None));
    let refused = store.set_settings(ann.id, "{}", NOON_US).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
}
