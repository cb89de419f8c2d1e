//! What a question of a conversation is searched by when it alone finds nothing: "And on PostgreSQL?" asks what was asked
//! before. No model is asked what was meant; only words are looked at. Pure.

use std::collections::HashSet;

use mainspring_llm::{Message, chat::Speaker};
use unicode_segmentation::UnicodeSegmentation;

use crate::citations::content_words;

/// So many questions of before are looked back to.
const BACK: usize = 2;
/// A question with no more words of meaning than this leaves the rest to what was said before.
const FEW: usize = 2;
/// What is longer was pasted, and names no topic.
const LONGEST: usize = 4 << 10;

const OPENERS: &[&str] = &["also", "and", "but", "else", "or", "otherwise", "so", "then"];
const POINTERS: &[&str] = &[
    "he", "her", "him", "his", "it", "its", "one", "ones", "same", "she", "that", "their", "them", "these", "they", "this",
    "those",
];

/// Words that ask for more of the same.
const FILLERS: &[&str] = &[
    "again", "any", "detail", "example", "explain", "give", "long", "many", "me", "mean", "most", "much", "my", "often", "other",
    "please", "show", "tell", "us", "whose", "why",
];

/// The last question under the ones before it, each longer than the one before; none where it stands for itself.
pub(crate) fn looking_back(messages: &[Message]) -> Vec<String> {
    let mut questions =
        messages.iter().rev().filter(|message| message.role == Speaker::User).map(|message| message.content.trim());
    let Some(asked) = questions.next().filter(|asked| leans_back(asked)) else { return Vec::new() };
    let mut query = asked.to_owned();
    let mut queries = Vec::new();
    for before in questions.filter(|before| !before.is_empty() && *before != asked).take(BACK) {
        query = format!("{before}\n{query}");
        if query.len() > LONGEST {
            break;
        }
        queries.push(query.clone());
    }
    queries
}

fn leans_back(asked: &str) -> bool {
    let words: Vec<String> = asked.unicode_words().map(str::to_lowercase).collect();
    words.first().is_some_and(|first| OPENERS.contains(&first.as_str()))
        || words.iter().any(|word| POINTERS.contains(&word.as_str()))
        || own_words(asked).len() <= FEW
}

fn own_words(asked: &str) -> HashSet<String> {
    let means_nothing = |word: &str| [OPENERS, POINTERS, FILLERS].iter().any(|list| list.contains(&word));
    content_words(asked).filter(|word| !means_nothing(word)).collect()
}

/// Whether what was found with the help of the questions before speaks of this one as well: one that changes the subject
/// is not to be answered from passages of the old one.
pub(crate) fn speaks_of<'a>(asked: &str, mut texts: impl Iterator<Item = &'a str>) -> bool {
    let own = own_words(asked);
    own.is_empty() || texts.any(|text| content_words(text).any(|word| own.contains(&word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(turns: &[&str]) -> Vec<Message> {
        let speakers = [Speaker::User, Speaker::Assistant].into_iter().cycle();
        turns.iter().zip(speakers).map(|(text, speaker)| Message::new(speaker, *text)).collect()
    }

    #[track_caller]
    fn check(turns: &[&str], wanted: &[&str]) {
        assert_eq!(looking_back(&said(turns)), wanted, "{turns:?}");
    }

    #[test]
    fn what_leans_on_the_question_before_is_asked_with_it() {
        check(&["How is it backed up?", "So.", "And on PostgreSQL?"], &["How is it backed up?\nAnd on PostgreSQL?"]);
        check(&["How do keys expire?", "So.", "Why?"], &["How do keys expire?\nWhy?"]);
        check(
            &["How do keys of editors expire?", "So.", "Who of the admins may rotate them before time?"],
            &["How do keys of editors expire?\nWho of the admins may rotate them before time?"],
        );
        check(&["One?", "1", "Two?", "2", "Three?", "3", "Why?"], &["Three?\nWhy?", "Two?\nThree?\nWhy?"]);
    }

    #[test]
    fn what_stands_for_itself_or_stands_alone_is_not() {
        check(&["How do keys expire?", "So.", "Which formats of documents are read by the parsers?"], &[]);
        check(&["And on PostgreSQL?"], &[]);
        check(&["Why?", "So.", "Why?"], &[]);
        check(&[], &[]);
        let pasted = "words ".repeat(1000);
        check(&[pasted.as_str(), "So.", "Why?"], &[]);
    }

    #[test]
    fn what_is_found_has_to_speak_of_what_is_asked_now() {
        let speaks = |asked, text| speaks_of(asked, std::iter::once(text));
        assert!(speaks("And on PostgreSQL?", "Backups of PostgreSQL are made by pg_dump."));
        assert!(!speaks("And the weather?", "Backups of PostgreSQL are made by pg_dump."));
        assert!(speaks("Why is that so?", "Backups of PostgreSQL are made by pg_dump."));
    }
}
