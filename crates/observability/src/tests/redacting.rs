//! What is replaced in texts.

use super::*;
use crate::capture::redact;

#[track_caller]
fn check_redaction(text: &str, want: &str) {
    assert_eq!(redact(text), want);
}

#[test]
fn addresses_numbers_and_secrets_are_replaced() {
    check_redaction("write to ada@example.org now", "write to [email] now");
    check_redaction("key msk_0123456789abcdef", "key [secret]");
    check_redaction("Authorization: Bearer abcdefghijklmnopqrstuvwxyz", "Authorization: [secret]");
    check_redaction("card 4111 1111 1111 1111.", "card [card].");
    check_redaction("order 4111 1111 1111 1112.", "order 4111 1111 1111 1112.");
    check_redaction("DE89 3704 0044 0532 0130 00", "[iban]");
    check_redaction("call +49 30 1234567", "call [phone]");
    check_redaction("version 1.2.3 of 2023-11-14", "version 1.2.3 of 2023-11-14");
}

proptest! {
    #[test]
    fn redaction_never_panics(text in ".{0,200}") {
        let _ = redact(&text);
    }
}
