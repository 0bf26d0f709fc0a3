use broadside_store::friends::{FRIENDS_MAX, FriendLink, Friendship};
use broadside_store::{Store, StoreError};

use crate::{DAY_US, NOON_US, guest, named};

pub(crate) async fn a_friendship_takes_two(store: Store) {
    let (ann, ben) = (named(&store, 1, "Ann").await, named(&store, 2, "Ben").await);
    let of = async |id| {
        let friends = store.friends(id).await.expect("an answer");
        friends.into_iter().map(|friend| (friend.account.name, friend.friendship)).collect::<Vec<_>>()
    };
    let one = |name: &str, friendship| vec![(name.to_owned(), friendship)];
    let alone = store.befriend(ann.id, ann.id, NOON_US).await;
    assert!(matches!(alone, Err(StoreError::Conflict(_))), "{alone:?}");

    assert_eq!(store.befriend(ann.id, ben.id, NOON_US).await, Ok(Friendship::Requested));
    assert_eq!(store.befriend(ann.id, ben.id, NOON_US).await, Ok(Friendship::Requested), "again");
    assert_eq!(of(ann.id).await, one("Ben", Friendship::Requested));
    assert_eq!(of(ben.id).await, one("Ann", Friendship::Asked));
    let agreed = Friendship::Since(NOON_US + 1);
    assert_eq!(store.befriend(ben.id, ann.id, NOON_US + 1).await, Ok(agreed));
    assert_eq!(store.befriend(ann.id, ben.id, NOON_US + 2).await, Ok(agreed), "they are");
    assert_eq!((of(ann.id).await, of(ben.id).await), (one("Ben", agreed), one("Ann", agreed)));
    assert_eq!(store.unfriend(ann.id, ben.id).await, Ok(true));
    assert_eq!(store.unfriend(ann.id, ben.id).await, Ok(false));
    assert_eq!((of(ann.id).await, of(ben.id).await), (vec![], vec![]));

    for number in 0..FRIENDS_MAX {
        let other = guest(&store, number as u8 + 3).await;
        store.befriend(ann.id, other.id, NOON_US).await.expect("asked");
    }
    let last = store.friends(ann.id).await.expect("an answer").pop().expect("the last").account;
    let agreed = store.befriend(last.id, ann.id, NOON_US).await;
    assert_eq!(agreed, Ok(Friendship::Since(NOON_US)), "whoever was asked may agree");
    let one_more = store.befriend(ann.id, ben.id, NOON_US).await;
    assert!(matches!(one_more, Err(StoreError::Conflict(_))), "{one_more:?}");
}

pub(crate) async fn a_link_makes_friends_until_it_expires_or_is_replaced(store: Store) {
    let (ann, ben) = (named(&store, 1, "Ann").await, named(&store, 2, "Ben").await);
    let (expires, later) = (NOON_US + DAY_US, NOON_US + 2 * DAY_US);
    assert_eq!(store.friend_link(ann.id, NOON_US).await, Ok(None));
    store.set_friend_link(ann.id, "old", expires).await.expect("a link");
    store.set_friend_link(ann.id, "new", expires).await.expect("another link");
    let taken = store.set_friend_link(ben.id, "new", later).await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))), "{taken:?}");
    let link = store.friend_link(ann.id, expires - 1).await;
    assert_eq!(link, Ok(Some(FriendLink { code: "new".to_owned(), expires_us: expires })));
    let of = async |code, now| store.account_of_friend_link(code, now).await.expect("an answer").map(|found| found.id);
    assert_eq!((of("old", NOON_US).await, of("new", expires - 1).await), (None, Some(ann.id)));
    assert_eq!((of("new", expires).await, store.friend_link(ann.id, expires).await), (None, Ok(None)));
    store.delete_account(ann.id).await.expect("deleted");
    assert_eq!(of("new", NOON_US).await, None);

    let (cid, dan) = (named(&store, 3, "Cid").await, named(&store, 4, "Dan").await);
    assert_eq!(store.befriend_both(cid.id, dan.id, NOON_US).await, Ok(NOON_US));
    assert_eq!(store.befriend_both(dan.id, cid.id, NOON_US + 1).await, Ok(NOON_US), "they are");
    for (one, other) in [(&cid, "Dan"), (&dan, "Cid")] {
        let friends = store.friends(one.id).await.expect("an answer");
        assert_eq!((friends[0].account.name.as_str(), friends[0].friendship), (other, Friendship::Since(NOON_US)));
    }
}
