//! Names that look alike, names that do not, and reserved names.

use super::*;

fn name(text: &str) -> Name {
    Name::new(text).unwrap_or_else(|wrong| panic!("{text:?}: {wrong}"))
}

fn meet(a: &str, b: &str) -> bool {
    Looks::of(&name(a)).meet(&Looks::of(&name(b)))
}

/// Pairs of names that look alike.
const ALIKE: &[(&str, &str)] = &[
    // The same letters in either case, of any script.
    ("Ann", "ANN"),
    ("Нина", "НИНА"),
    ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
    ("iris", "Iris"),
    ("İbrahim", "ibrahim"),
    // Invisible characters.
    ("Ann", "A\u{200d}nn"),
    ("Ann", "Ann\u{fe0f}"),
    ("Ann", "A\u{34f}nn\u{e0061}"),
    ("Ann", "Ann\u{3164}"),
    ("Ann", "\u{2800}Ann"),
    // Composed and decomposed.
    ("Zo\u{eb}", "Zoe\u{308}"),
    ("Å", "\u{212b}"),
    ("각", "\u{1100}\u{1161}\u{11a8}"),
    ("Ệ", "E\u{323}\u{302}"),
    ("Ệ", "E\u{302}\u{323}"),
    // Cyrillic, Greek, Armenian, Cherokee and others for Latin.
    ("Alex", "Аlex"),
    ("Alex", "Аӏех"),
    ("ALEX", "АLЕХ"),
    ("Pacocha", "Расосhа"),
    ("Nina", "Νina"),
    ("Bob", "Βob"),
    ("Tom", "Τοm"),
    ("scope", "ѕсоре"),
    ("HOPA", "НОРА"),
    ("hopa", "нора"),
    ("Max", "Мах"),
    ("max", "Мax"),
    ("Ohm", "Օhm"),
    ("Go", "Gօ"),
    // Fullwidth, mathematical, circled, boxed, small and superscript letters.
    ("Ann", "Ａｎｎ"),
    ("Ann", "𝐀𝐧𝐧"),
    ("Ann", "𝔸𝕟𝕟"),
    ("max", "𝓜𝓪𝔁"),
    ("Ann", "Ⓐⓝⓝ"),
    ("Ann", "🄰🄽🄽"),
    ("Ann", "🅐🅝🅝"),
    ("Ann", "🅰🅽🅽"),
    ("De", "🇩🇪"),
    ("anna", "ᴀɴɴᴀ"),
    ("Ann", "ᴬⁿⁿ"),
    ("fi", "ﬁ"),
    ("Kim", "\u{212a}im"),
    // Digits for letters, and letters that run together.
    ("Bob", "B0b"),
    ("Bill", "BiII"),
    ("Bill", "Bi11"),
    ("Bill", "Bi||"),
    ("Arnold", "Amold"),
    ("will", "vvill"),
    ("AMOLD", "arnold"),
    // Letters with a redundant dot, repeated marks, marks that look alike.
    ("iris", "i\u{307}ris"),
    ("iris", "ırıs"),
    ("jo", "j\u{307}o"),
    ("é", "é\u{301}"),
    ("ă", "ǎ"),
    ("l\u{338}ove", "ł\u{338}ove"),
    // Spaces, dashes and quotes.
    ("Ann Lee", "Ann\u{2003}Lee"),
    ("Ann-Lee", "Ann\u{2010}Lee"),
    ("Ann-Lee", "Ann\u{2212}Lee"),
    ("O'Hara", "O’Hara"),
    ("O'Hara", "Oʼhara"),
    // Right-to-left text in display order.
    ("\u{5d0}1", "1\u{5d0}"),
    ("A1\u{5d0}", "A\u{5d0}1"),
    ("علي", "علي"),
    ("ﻋﻠﻲ", "علي"),
];

#[test]
fn names_that_look_alike_collide() {
    let apart: Vec<_> = ALIKE
        .iter()
        .filter(|(a, b)| !meet(a, b))
        .map(|(a, b)| (a, b, Looks::of(&name(a)), Looks::of(&name(b))))
        .collect();
    assert!(apart.is_empty(), "{apart:#?}");
}

#[test]
fn names_that_look_different_do_not_collide() {
    let names = [
        "Ann",
        "Anna",
        "Anne",
        "Zoe",
        "Zoë",
        "Ali",
        "All",
        "Lucy",
        "Lucu",
        "Van",
        "Nan",
        "Ann 2",
        "Ann 3",
        "Ann 12",
        "Ann Lee",
        "Annlee",
        "Нина",
        "Ніна",
        "Дмитрий",
        "山田",
        "山本",
        "김철수",
        "김철호",
        "محمد",
        "محمود",
        "Jose",
        "José",
        "Łódź",
        "Lodz",
        "Guy",
        "Gyu",
        "🚀",
        "🚁",
        "dark",
        "bark",
        "Hans",
        "Nans",
        "Captain 100",
        "Captain 101",
        "Ελένη",
        "Elena",
    ];
    for (at, a) in names.iter().enumerate() {
        for b in &names[at + 1..] {
            assert!(!meet(a, b), "{a} and {b}: {:?} {:?}", Looks::of(&name(a)), Looks::of(&name(b)));
        }
    }
}

/// Names that would pass for the server, its bots or its operator.
const RESERVED_NAMES: &[&str] = &[
    "Server",
    "SERVER",
    "Ѕerver",
    "Sеrvеr",
    "ѕеrvеr",
    "ＳＥＲＶＥＲ",
    "𝐒𝐞𝐫𝐯𝐞𝐫",
    "Śerver",
    "S\u{323}erver",
    "S\u{335}e\u{335}rver",
    "S e r v e r",
    "S.e.r.v.e.r",
    "Ser ver",
    "[Server]",
    "* server *",
    "server:",
    "_Server_",
    "Server 2",
    "server2",
    "2server",
    "The Server",
    "Serv3r",
    "$erver",
    "5erver",
    "ꜱᴇʀᴠᴇʀ",
    "🅂🄴🅁🅅🄴🅁",
    "🅢🅔🅡🅥🅔🅡",
    "🇸🇪🇷🇻🇪🇷",
    "Servers",
    "Operator",
    "0perator",
    "Οperator",
    "oper4tor",
    "OPERATØR",
    "Broadside",
    "Bro\u{61}ds\u{131}de",
    "BROADSlDE",
    "Broads1de",
    "Broadside Team",
    "notice",
    "Notice!",
    "N0tice",
    "nοtice",
    "Notices",
    "admin",
    "ADMlN",
    "adm1n",
    "Adrnin",
    "аdmin",
    "@dmin",
    "xx Admin xx",
    "Administrator",
    "Moderator",
    "m0derator",
    "rnoderator",
    "M0D",
    "system",
    "Systern",
    "5ystem",
    "bot",
    "Bot",
    "BOT",
    "b0t",
    "bοt",
    "ьot",
    "8ot",
    "bot Marlin",
    "Bot  Marlin",
    "bot-Marlin",
    "[bot] Marlin",
    "bot_7",
    "b o t Orca",
    "bots",
    "b\u{200b}ot Orca",
    "you",
    "Y0U",
    "everyone",
    "staff",
    "nobody",
    "botMarlin",
    "TheServer",
    "GameAdmin",
    "sErVeR",
    "Server™",
    "℠Server",
    "Server②",
    "Server 🚀",
];

#[test]
fn reserved_names_are_refused_in_every_spelling() {
    let given: Vec<_> = RESERVED_NAMES.iter().filter(|word| FitName::new(&name(word)).is_ok()).collect();
    assert!(given.is_empty(), "{given:?}");
}

#[test]
fn words_that_contain_a_reserved_word_and_names_in_any_script_are_allowed() {
    let names = [
        "Ali",
        "ALI",
        "Alis",
        "Ali 2",
        "Ail",
        "Mia",
        "Leo",
        "Observer",
        "Botticelli",
        "Bottom",
        "Abbot",
        "Robot",
        "Admiral",
        "Young",
        "Bayou",
        "Systematic",
        "Ann",
        "Noticed",
        "Wall",
        "Allan",
        "Mode",
        "Solar System",
        "guest",
        "Captain 807",
        "807",
        "Marlin",
        "load 17",
        "sim 4",
        "Zoë 🚀",
        "Сергей",
        "Βασίλης",
        "山田太郎",
        "김철수",
        "محمد",
        "דוד",
        "स्वाति",
        "สมชาย",
        "Łódź",
        "O'Hara",
        "x_X_x",
        "R2-D2",
        "100%",
        "?",
        "...",
        "Ship Happens",
        "Broad",
        "Beside",
        "McAllister",
        "BigBottle",
        "DeLuxe",
    ];
    let refused: Vec<_> = names.iter().filter_map(|typed| FitName::new(&name(typed)).err()).collect();
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn a_name_is_composed_and_normalization_is_idempotent() {
    let fit = |typed: &str| FitName::new(&name(typed)).map(|fit| fit.name().to_string());
    assert_eq!(fit("Zoe\u{308}"), Ok("Zo\u{eb}".to_owned()));
    assert_eq!(fit("\u{378}Ann\u{e01f0}"), Ok("Ann".to_owned()), "unassigned characters are dropped");
    assert_eq!(fit("\u{378}"), Err(Unfit::Form(NameError::Empty)));
    assert!(matches!(fit(&"\u{fb2c}".repeat(16)), Err(Unfit::Form(NameError::Long(_)))), "normal form decomposes it");
    let mut rng = fastrand::Rng::with_seed(7);
    let odd = [
        'a', 'i', ' ', '\u{301}', '\u{327}', '\u{307}', '\u{5d0}', '1', '\u{1100}', '\u{1161}', '\u{958}', '\u{93c}',
        '漢',
    ];
    for _ in 0..3_000 {
        let pick = |rng: &mut fastrand::Rng| if rng.bool() { rng.char(..) } else { odd[rng.usize(..odd.len())] };
        let typed: String = (0..rng.usize(1..14)).map(|_| pick(&mut rng)).collect();
        let Ok(typed) = Name::new(&typed) else { continue };
        let Ok(fit) = FitName::new(&typed) else { continue };
        assert_eq!(FitName::new(fit.name()), Ok(fit.clone()), "{typed:?}");
    }
}

#[test]
fn variants_of_a_name_are_valid_and_not_reserved() {
    for typed in ["administratorxyz", "山田太郎山田太郎山田太郎", "Captain Longname", "Z\u{335}\u{301}oo"] {
        let fit = FitName::new(&name(typed)).expect("a fine name");
        for variant in fit.variants().take(40) {
            assert_eq!(FitName::new(&variant).map(|fit| fit.name().clone()), Ok(variant));
        }
    }
    let bot = FitName::of_bot(name("bot Marlin"));
    assert_eq!(bot.variants().nth(1), Some(name("bot Marlin 2")));
}
