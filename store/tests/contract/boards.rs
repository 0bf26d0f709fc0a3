use broadside_store::Store;
use broadside_store::boards::{After, Measure};
use broadside_store::period::{Period, Season};
use broadside_store::results::Outcome;

use crate::{DAY_US, NOON_US, named, player, record};

pub(crate) async fn equal_values_share_a_rank_across_pages(store: Store) {
    let scores = [("Ada", 50), ("Bob", 40), ("Cy", 40), ("Dee", 40), ("Eve", 30), ("Flo", 0)];
    let mut accounts = Vec::new();
    for (number, (name, score)) in (1..).zip(scores) {
        let account = named(&store, number, name).await;
        let won = if score == 40 { Outcome::Won } else { Outcome::Lost };
        store
            .record(&[record("teams", NOON_US, vec![player(&account, score, won)])], Season::Month)
            .await
            .expect("recorded");
        accounts.push(account);
    }
    let today = Period::day(NOON_US);
    let mut after = None;
    let mut ranks = Vec::new();
    loop {
        let page = store.board("teams", &today, Measure::Score, after, 2).await.expect("an answer");
        let Some(last) = page.last() else { break };
        let count = ranks.len() as u64 + page.len() as u64;
        after = Some(After { value: last.value, account: last.account, rank: last.rank, count });
        ranks.extend(page.into_iter().map(|entry| (entry.rank, entry.value)));
    }
    assert_eq!(ranks, [(1, 50), (2, 40), (2, 40), (2, 40), (5, 30)], "who has nothing is not on it");

    let rank = async |at: usize, measure| store.rank(accounts[at].id, "teams", &Period::All, measure).await;
    assert_eq!(rank(0, Measure::Score).await, Ok(Some(1)));
    assert_eq!(rank(3, Measure::Score).await, Ok(Some(2)));
    assert_eq!(rank(4, Measure::Kills).await, Ok(Some(5)));
    assert_eq!(rank(0, Measure::Wins).await, Ok(None), "no win, no rank");
    assert_eq!(rank(2, Measure::Wins).await, Ok(Some(1)));
    for (measure, best) in [(Measure::Kills, 25), (Measure::Wins, 1)] {
        let board = store.board("teams", &Period::All, measure, None, 1).await.expect("an answer");
        assert_eq!(board[0].value, best, "{measure:?}");
    }

    for friend in [&accounts[1], &accounts[4]] {
        store.befriend(accounts[0].id, friend.id, NOON_US).await.expect("asked");
        store.befriend(friend.id, accounts[0].id, NOON_US).await.expect("agreed");
    }
    store.befriend(accounts[0].id, accounts[2].id, NOON_US).await.expect("only asked");
    for measure in [Measure::Score, Measure::Kills] {
        let board = store.board_of_friends(accounts[0].id, "teams", &today, measure).await.expect("an answer");
        let names: Vec<_> = board.iter().map(|entry| (entry.rank, &*entry.name)).collect();
        assert_eq!(names, [(1, "Ada"), (2, "Bob"), (3, "Eve")]);
    }
    let wins = store.board_of_friends(accounts[0].id, "teams", &today, Measure::Wins).await.expect("an answer");
    assert_eq!(wins.len(), 1);
}

pub(crate) async fn seasons_and_days_are_kept_apart(store: Store) {
    let ann = named(&store, 1, "Ann").await;
    let moments = [NOON_US - 400 * DAY_US, NOON_US - 40 * DAY_US, NOON_US];
    for (score, at) in [1, 10, 100].into_iter().zip(moments) {
        store
            .record(&[record("open", at, vec![player(&ann, score, Outcome::None)])], Season::Month)
            .await
            .expect("recorded");
    }
    let value = async |period: Period| {
        let board = store.board("open", &period, Measure::Score, None, 5).await.expect("an answer");
        board.first().map(|entry| entry.value)
    };
    assert_eq!(value(Period::All).await, Some(111));
    assert_eq!(value(Season::Month.at(NOON_US)).await, Some(100));
    assert_eq!(value(Period::Season("2026-10".to_owned())).await, Some(10), "past seasons stay");
    assert_eq!(value(Period::week(NOON_US)).await, Some(100));
    assert_eq!(store.seasons().await, Ok(["2026-11", "2026-10", "2025-10"].map(str::to_owned).to_vec()));

    // The day and the week of the oldest result are forgotten, and no season.
    assert_eq!(store.forget_days(NOON_US - 100 * DAY_US).await, Ok(2));
    assert_eq!(value(Period::day(moments[0])).await, None);
    assert_eq!(value(Period::Season("2025-10".to_owned())).await, Some(1));
    assert_eq!(value(Period::day(moments[1])).await, Some(10));
}
