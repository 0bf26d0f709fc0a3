use broadside_store::friends::{FRIENDS_MAX, Friendship};
use broadside_store::{Store, StoreError};

use crate::{NOON_US, guest, named};

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
    let one_more = store.befriend(ann.id, ben.id, NOON_US).await;
    assert!(matches!(one_more, Err(StoreError::Conflict(_))), "{one_more:?}");
}
