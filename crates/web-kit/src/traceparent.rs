//! W3C trace context.

use mainspring_llm::{SpanId, TraceId};

/// `00-<trace>-<span>-<flags>`, in lower case; a later version may go on after that.
pub(crate) fn traceparent(text: &str) -> Option<(TraceId, SpanId)> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lower_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let shaped = version.len() == 2 && flags.len() == 2 && [version, trace, span, flags].into_iter().all(lower_hex);
    let known = match version {
        "00" => parts.next().is_none(),
        version => version != "ff",
    };
    if !shaped || !known {
        return None;
    }
    Some((trace.parse().ok()?, span.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use mainspring_llm::{SpanId, TraceId};
    use proptest::prelude::*;

    use super::traceparent;

    #[test]
    fn a_trace_may_be_continued() {
        let (trace, span) = (TraceId::random(), SpanId::random());
        assert_eq!(traceparent(&format!("00-{trace}-{span}-01")), Some((trace, span)));
        assert_eq!(traceparent(&format!("01-{trace}-{span}-01-later")), Some((trace, span)));
        for wrong in [
            format!("00-{trace}-{span}-01-later"),
            format!("ff-{trace}-{span}-01"),
            format!("00-{trace}-{span}"),
            format!("00-{trace}-{span}-1"),
            format!("zz-{trace}-{span}-01"),
            format!("00-{}-{span}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{trace}-{}-01", "A".repeat(16)),
            format!("00-{}-{span}-01", "A".repeat(32)),
            "rubbish".to_owned(),
            String::new(),
        ] {
            assert_eq!(traceparent(&wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_traceparent_is_ignored_or_is_the_one_that_was_written(text in "\\PC{0,60}|[0-9a-fA-F]{2}-[0-9a-fA-F]{31,33}-[0-9a-f]{15,17}(-[0-9a-f]{2}){0,2}") {
            if let Some((trace, span)) = traceparent(&text) {
                prop_assert_eq!(&text[3..52], format!("{trace}-{span}"));
            }
        }

        #[test]
        fn every_traceparent_that_is_written_is_read(flags in 0_u8.., cut in 0_usize..55) {
            let (trace, span) = (TraceId::random(), SpanId::random());
            let text = format!("00-{trace}-{span}-{flags:02x}");
            prop_assert_eq!(traceparent(&text), Some((trace, span)));
            prop_assert_eq!(traceparent(&text[..cut]), None);
        }
    }
}
