use broadside_store::Store;
use broadside_store::period::Season;
use broadside_store::results::{Outcome, ResultKind};

use crate::{DAY_US, NOON_US, named, player, record};

const NEWEST: (i64, [u8; 16]) = (i64::MAX, [0xff; 16]);

pub(crate) async fn a_result_is_written_once_however_often_it_is_handed_over(store: Store) {
    let (ann, ben) = (named(&store, 1, "Ann").await, named(&store, 2, "Ben").await);
    let stranger = broadside_store::results::PlayerRecord { account: None, ..player(&ben, 3, Outcome::Lost) };
    let teams = record("teams", NOON_US, vec![player(&ann, 10, Outcome::Won), stranger]);
    let mut stay = record("open", NOON_US + 1, vec![player(&ann, 7, Outcome::None)]);
    stay.kind = ResultKind::Stay;
    let both = [teams.clone(), stay.clone()];
    assert_eq!(store.record(&both, Season::Month).await, Ok(3));
    assert_eq!(store.record(&both, Season::Month).await, Ok(0), "again, as after a crash");
    assert_eq!(store.record(&[stay.clone(), teams.clone()], Season::Month).await, Ok(0));
    assert_eq!(store.count_results().await, Ok(3));

    let of_ann = store.results_of(ann.id, NEWEST, 10).await.expect("an answer");
    assert_eq!(
        of_ann.iter().map(|kept| (kept.match_id, kept.kind)).collect::<Vec<_>>(),
        [(stay.id, ResultKind::Stay), (teams.id, ResultKind::Match)]
    );
    assert_eq!(of_ann[0].player, stay.players[0]);
    let second_page = store.results_of(ann.id, (of_ann[0].ended_us, of_ann[0].match_id), 10).await.expect("an answer");
    assert_eq!(second_page, of_ann[1..]);
    assert_eq!(store.results_of(ben.id, NEWEST, 10).await, Ok(vec![]), "it was played without an account");

    // A second match adds up; the longest streak stays the longest.
    let mut third = record("teams", NOON_US + DAY_US, vec![player(&ann, 1, Outcome::Lost)]);
    third.players[0].streak = 1;
    assert_eq!(store.record(&[third], Season::Month).await, Ok(1));
    let totals = store.totals(ann.id).await.expect("an answer");
    let sums: Vec<_> = totals.iter().map(|sum| (&*sum.mode, sum.score, sum.results, sum.wins, sum.streak)).collect();
    assert_eq!(sums, [("open", 7, 1, 0, 3), ("teams", 11, 2, 1, 3)]);
    let days = store.days(ann.id, NOON_US).await.expect("an answer");
    let days: Vec<_> = days.iter().map(|sum| (&*sum.period, &*sum.mode, sum.score)).collect();
    assert_eq!(days, [("day:2026-11-27", "open", 7), ("day:2026-11-27", "teams", 10), ("day:2026-11-28", "teams", 1)]);
}

pub(crate) async fn a_rated_match_moves_both_ratings_once(store: Store) {
    let (ann, ben) = (named(&store, 1, "Ann").await, named(&store, 2, "Ben").await);
    let duel = |won: i64| {
        record(
            "duel",
            NOON_US,
            vec![
                player(&ann, won, if won > 5 { Outcome::Won } else { Outcome::Lost }),
                player(&ben, 10 - won, if won > 5 { Outcome::Lost } else { Outcome::Won }),
            ],
        )
    };
    let first = duel(10);
    store.record(std::slice::from_ref(&first), Season::Quarter).await.expect("recorded");
    store.record(&[first], Season::Quarter).await.expect("recorded before");
    let of = async |id| store.ratings(id).await.expect("an answer").remove(0);
    let (winner, loser) = (of(ann.id).await, of(ben.id).await);
    // Glickman's formulas for two new players, by his own calculator: 1662.3 and 1337.7 with deviation 290.3.
    assert_eq!((winner.matches, winner.rating.round(), loser.rating.round()), (1, 1662.0, 1338.0));
    assert_eq!(winner.deviation.round(), 290.0);
    // Against a stranger, and without a result, nothing moves.
    let mut stranger = duel(10);
    stranger.players[1].account = None;
    let mut drawn = duel(10);
    drawn.players.iter_mut().for_each(|player| player.outcome = Outcome::None);
    store.record(&[stranger, drawn], Season::Quarter).await.expect("recorded");
    assert_eq!(of(ann.id).await, winner);
    store.record(&[duel(0)], Season::Quarter).await.expect("recorded");
    assert!(of(ben.id).await.rating > 1500.0 && of(ann.id).await.matches == 2);
    assert_eq!(store.rating_board("duel", 10).await, Ok(vec![]), "two matches tell too little");
    for _ in 0..6 {
        store.record(&[duel(10)], Season::Quarter).await.expect("recorded");
    }
    let board = store.rating_board("duel", 10).await.expect("an answer");
    assert_eq!(board.iter().map(|entry| (entry.rank, &*entry.name)).collect::<Vec<_>>(), [(1, "Ann"), (2, "Ben")]);
}
