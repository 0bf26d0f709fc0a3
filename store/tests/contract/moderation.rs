use broadside_store::accounts::Role;
use broadside_store::moderation::{AuditEntry, Report, Reports, Restriction, RestrictionKind};
use broadside_store::{Store, new_id};

use crate::{DAY_US, NOON_US, guest, named};

pub(crate) async fn restrictions_end_and_reports_are_handled_once(store: Store) {
    let (ann, ben) = (named(&store, 1, "Ann").await, guest(&store, 2).await);
    let ban = |until_us| Restriction {
        account: ann.id,
        name: "Ann".to_owned(),
        kind: RestrictionKind::Ban,
        until_us,
        reason: "spam".to_owned(),
        imposed_by: "Mo".to_owned(),
        imposed_us: NOON_US,
    };
    let mute = Restriction { kind: RestrictionKind::Mute, until_us: None, ..ban(None) };
    store.restrict(&ban(None)).await.expect("banned");
    store.restrict(&ban(Some(NOON_US + DAY_US))).await.expect("shortened");
    store.restrict(&mute).await.expect("muted");
    let all = async |at| store.restrictions(None, 10, at).await.expect("an answer");
    assert_eq!(all(NOON_US).await, [ban(Some(NOON_US + DAY_US)), mute.clone()]);
    assert_eq!(all(NOON_US + DAY_US).await, std::slice::from_ref(&mute), "the ban has ended");
    assert_eq!(store.restrictions(Some(ann.id), 10, NOON_US).await, Ok(vec![]), "the next page");
    assert_eq!(store.restrictions_of(ann.id, NOON_US + DAY_US).await, Ok(vec![mute]));
    assert_eq!(store.restrictions_of(ben.id, NOON_US).await, Ok(vec![]));
    assert_eq!(store.lift(ann.id, RestrictionKind::Mute).await, Ok(true));
    assert_eq!(store.lift(ann.id, RestrictionKind::Mute).await, Ok(false));

    let report = |at_us| Report {
        id: new_id(at_us),
        reporter: Some(ben.id),
        reporter_name: "guest 2".to_owned(),
        subject: None,
        subject_name: "Cy".to_owned(),
        body: "rude".to_owned(),
        chat: "Cy: something rude\nBen: stop".to_owned(),
        room: "arena 1".to_owned(),
        reported_us: at_us,
        handled: None,
    };
    let (first, second) = (report(NOON_US), report(NOON_US + DAY_US));
    for report in [&first, &second, &first] {
        store.report(report).await.expect("kept");
    }
    assert_eq!(store.reports_by(ben.id).await, Ok(vec![second.clone(), first.clone()]));
    assert_eq!(store.reports_by(ann.id).await, Ok(vec![]));
    let newest = [0xff; 16];
    assert_eq!(store.reports(Reports::Open, newest, 10).await, Ok(vec![second.clone(), first.clone()]));
    assert_eq!(store.reports(Reports::Open, second.id, 10).await, Ok(vec![first.clone()]));
    assert_eq!(store.handle_report(first.id, "Mo", NOON_US + 5).await, Ok(Some(first.subject_name.clone())));
    assert_eq!(store.handle_report(first.id, "Mia", NOON_US + 6).await, Ok(None));
    assert_eq!(store.reports(Reports::Open, newest, 10).await, Ok(vec![second.clone()]));
    let handled = Report { handled: Some(("Mo".to_owned(), NOON_US + 5)), ..first };
    assert_eq!(store.reports(Reports::All, newest, 10).await, Ok(vec![second, handled]));

    let text = |text: &str| text.to_owned();
    let entry = |at_us| AuditEntry {
        id: new_id(at_us),
        actor: text("Mo"),
        action: text("ban"),
        subject: text("Ann"),
        detail: text("spam"),
        acted_us: at_us,
    };
    let entries = [entry(NOON_US), entry(NOON_US + DAY_US)];
    for entry in &entries {
        store.audit(entry).await.expect("logged");
    }
    assert_eq!(store.audit_log(newest, 1).await, Ok(vec![entries[1].clone()]));
    assert_eq!(store.audit_log(entries[1].id, 10).await, Ok(vec![entries[0].clone()]));
}

pub(crate) async fn mutes_and_roles_are_kept(store: Store) {
    let (ann, ben) = (named(&store, 1, "Ann").await, named(&store, 2, "Ben").await);
    store.mute(ann.id, ben.id, NOON_US).await.expect("muted");
    store.mute(ann.id, ben.id, NOON_US).await.expect("muted before");
    assert_eq!(store.mutes(ann.id).await, Ok(vec![(ben.id, "Ben".to_owned())]));
    store.unmute(ann.id, ben.id).await.expect("unmuted");
    assert_eq!(store.mutes(ann.id).await, Ok(vec![]));

    assert_eq!(store.staff().await, Ok(vec![]));
    assert_eq!(store.set_role(ben.id, Role::Moderator).await, Ok(true));
    assert_eq!(store.set_role(ann.id, Role::Admin).await, Ok(true));
    assert_eq!(store.set_role(broadside_store::accounts::AccountId([9; 16]), Role::Admin).await, Ok(false));
    let staff = store.staff().await.expect("an answer");
    let staff: Vec<_> = staff.iter().map(|account| (&*account.name, account.role)).collect();
    assert_eq!(staff, [("Ann", Role::Admin), ("Ben", Role::Moderator)]);
}
