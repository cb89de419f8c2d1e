use proptest::prelude::*;

use crate::gate::Gate;

/// Pushes byte by byte and by pieces; answers each piece shown, and whether a stop was met.
fn run(stops: &[&str], pieces: &[&[u8]]) -> (Vec<String>, bool) {
    let mut gate = Gate::new(stops.iter().map(|stop| (*stop).to_owned()).collect());
    let mut shown: Vec<String> = pieces.iter().map(|piece| gate.push(piece)).collect();
    shown.push(gate.finish());
    (shown, gate.is_stopped())
}

#[track_caller]
fn check(stops: &[&str], pieces: &[&str], want: &[&str], stopped: bool) {
    let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
    let (shown, met) = run(stops, &pieces);
    assert_eq!((shown.iter().map(String::as_str).collect::<Vec<_>>(), met), (want.to_vec(), stopped));
}

#[test]
fn a_stop_sequence_never_shows_even_in_part() {
    check(&["END"], &["abc", "EN", "D more"], &["abc", "", "", ""], true);
    check(&["END"], &["abcE", "N", "x"], &["abc", "", "ENx", ""], false);
    check(&["END"], &["abcEN"], &["abc", "EN"], false);
    check(&["\n\n", "\nQ:"], &["a\n", "b\n", "Q:"], &["a", "\nb", "", ""], true);
    check(&["aab"], &["aaa", "b"], &["a", "", ""], true);
    check(&["b", "abc"], &["xabc"], &["xa", ""], true);
    check(&[""], &["abc"], &["abc", ""], false);
    check(&["é"], &["caf", "é"], &["caf", "", ""], true);
}

#[test]
fn characters_are_whole_and_impossible_bytes_are_marked() {
    assert_eq!(run(&[], &[b"\xE2", b"\x82", b"\xAC!"]).0, ["", "", "€!", ""]);
    assert_eq!(run(&[], &[b"a\xF0\x9F"]).0, ["a", "\u{FFFD}"]);
    assert_eq!(run(&[], &[b"\xFFa"]).0, ["\u{FFFD}a", ""]);
    assert_eq!(run(&[], &[b"\xC3", b"a"]).0, ["", "\u{FFFD}a", ""]);
}

proptest! {
    #[test]
    fn what_is_shown_is_the_text_up_to_the_first_stop(
        text in "[ab€🎛]{0,40}",
        stops in prop::collection::vec("[ab€]{1,4}", 0..3),
        cuts in prop::collection::vec(1_usize..6, 0..60),
    ) {
        let mut rest = text.as_bytes();
        let mut gate = Gate::new(stops.clone());
        let mut shown = String::new();
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            shown.push_str(&gate.push(piece));
            prop_assert!(!stops.iter().any(|stop| shown.contains(stop.as_str())));
            rest = after;
        }
        shown.push_str(&gate.push(rest));
        shown.push_str(&gate.finish());
        let ends = stops.iter().filter_map(|stop| text.find(stop.as_str()).map(|at| (at + stop.len(), at)));
        let end = ends.min().map(|(_, at)| at);
        prop_assert_eq!(shown, &text[..end.unwrap_or(text.len())]);
        prop_assert_eq!(gate.is_stopped(), end.is_some());
    }

    #[test]
    fn any_bytes_become_text_as_the_standard_library_reads_them(bytes in prop::collection::vec(any::<u8>(), 0..60), cut in 0_usize..60) {
        let mut gate = Gate::new(Vec::new());
        let (one, two) = bytes.split_at(cut.min(bytes.len()));
        let mut shown = gate.push(one);
        shown.push_str(&gate.push(two));
        shown.push_str(&gate.finish());
        // How many marks a broken sequence gets may differ at the cut; the characters may not.
        let solid = |text: &str| text.replace('\u{FFFD}', "");
        prop_assert_eq!(solid(&shown), solid(&String::from_utf8_lossy(&bytes)));
    }
}
