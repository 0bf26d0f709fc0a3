use broadside_store::accounts::{Role, SIGN_INS_MAX, SignIn};
use broadside_store::credentials::{Identity, Linked, PASSKEYS_MAX, Passkey};
use broadside_store::period::Season;
use broadside_store::results::Outcome;
use broadside_store::{Store, StoreError};

use crate::{DAY_US, NOON_US, SECOND_US, guest, named, player, record};

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
        let sign_in = SignIn { secret_hash: [secret; 32], expires_us: NOON_US + DAY_US };
        store.sign_in(ann.id, sign_in, later + i64::from(secret)).await.expect("signed in");
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
    store.set_password(ann.id, "first", NOON_US).await.expect("set");
    store.set_password(ann.id, "second", NOON_US).await.expect("changed");
    assert_eq!(store.password(ann.id).await, Ok(Some("second".to_owned())));
    assert_eq!(store.password(ben.id).await, Ok(None));

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
    assert_eq!(store.use_recovery_code([1; 32]).await, Ok(None), "replaced");
    assert_eq!(store.use_recovery_code([3; 32]).await, Ok(Some(ann.id)));
    assert_eq!(store.use_recovery_code([3; 32]).await, Ok(None), "used");
    assert_eq!(store.recovery_codes_left(ann.id).await, Ok(1));
}

pub(crate) async fn a_deleted_account_leaves_results_without_a_name(store: Store) {
    let (ann, ben) = (named(&store, 1, "Ann").await, named(&store, 2, "Ben").await);
    let duel = record("duel", NOON_US, vec![player(&ann, 10, Outcome::Won), player(&ben, 4, Outcome::Lost)]);
    store.record(std::slice::from_ref(&duel), Season::Quarter).await.expect("recorded");
    store.befriend(ann.id, ben.id, NOON_US).await.expect("asked");
    store.mute(ben.id, ann.id, NOON_US).await.expect("muted");
    store.set_password(ann.id, "hash", NOON_US).await.expect("set");
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
