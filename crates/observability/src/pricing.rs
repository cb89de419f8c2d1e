//! What calls that were made elsewhere cost: by the prices that calls of the gateway are paid by, and marked as an estimate.

use std::fmt;

use mainspring_kernel::{Money, id::ProjectId};
use mainspring_llm::{Provenance, Span, TokenUsage};
use serde_json::Value;

use crate::conventions::{Tokens, unpriced};

/// What a span says that does not come from its sender.
pub(crate) const ESTIMATE: &str = "mainspring.estimate.";
/// In dollars, as text: it is exact.
pub(crate) const COST: &str = "mainspring.estimate.cost";
/// The price it was made with, and the version of its table.
pub(crate) const PRICE: &str = "mainspring.estimate.price";

/// Where the tokens come from that were priced.
pub(crate) const USAGE_FROM: &str = "mainspring.estimate.usage_from";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    pub cost: Money,
    pub price: String,
}

/// What tokens cost. Nothing where nobody has a price: that is not the same as free.
pub trait SpanPrices: Send + Sync + fmt::Debug + 'static {
    fn estimate(&self, project: ProjectId, called: (&str, &str), usage: &TokenUsage) -> Option<Estimate>;
}

/// Prices a span that names a model and tokens and says no cost of its own.
pub(crate) fn price(span: &mut Span, prices: &dyn SpanPrices) {
    let project = span.project;
    let estimate = unpriced(span).and_then(|call| {
        let usage = used(&call.tokens)?;
        let provider = call.provider.as_deref().unwrap_or_default();
        let mut models = call.models.iter().filter_map(Option::as_deref);
        models.find_map(|model| prices.estimate(project, (provider, model), &usage))
    });
    if let Some(Estimate { cost, price }) = estimate {
        span.attributes.insert(COST.to_owned(), Value::String(cost.to_string()));
        span.attributes.insert(PRICE.to_owned(), Value::String(price));
        span.attributes.insert(USAGE_FROM.to_owned(), Provenance::Instrumented.as_str().into());
    }
}

fn used(tokens: &Tokens) -> Option<TokenUsage> {
    let number = |number: Option<i64>| u64::try_from(number.unwrap_or_default()).unwrap_or_default();
    let usage = TokenUsage {
        input: number(tokens.input),
        output: number(tokens.output),
        cache_read: number(tokens.cache_read),
        cache_write: number(tokens.cache_write),
        reasoning: number(tokens.reasoning),
        ..TokenUsage::default()
    };
    (usage.input > 0 || usage.output > 0).then_some(usage.all_from(Provenance::Instrumented))
}

#[cfg(test)]
mod tests {
    use mainspring_kernel::Timestamp;
    use mainspring_llm::{
        SpanId, TraceId,
        trace::{SpanKind, SpanStatus},
    };
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;
    use crate::conventions::Facts;

    /// A millionth of a dollar for each token of `gpt`, and a price for nothing else.
    #[derive(Debug)]
    struct Flat;

    /// Knows no price, and notes for what it was asked.
    #[derive(Debug, Default)]
    struct Asked(std::sync::Mutex<Vec<String>>);

    impl SpanPrices for Asked {
        fn estimate(&self, _: ProjectId, (_, model): (&str, &str), _: &TokenUsage) -> Option<Estimate> {
            self.0.lock().unwrap().push(model.to_owned());
            None
        }
    }

    impl SpanPrices for Flat {
        fn estimate(&self, _: ProjectId, (_, model): (&str, &str), usage: &TokenUsage) -> Option<Estimate> {
            assert_eq!(*usage, usage.all_from(Provenance::Instrumented), "every number is the sender's");
            let cost = Money::from_dollars(1).for_tokens(usage.input + usage.output);
            (model == "gpt").then(|| Estimate { cost, price: "gpt@1".into() })
        }
    }

    fn span(attributes: &Value) -> Span {
        Span {
            project: ProjectId::from_raw(7),
            trace: TraceId::random(),
            span: SpanId::random(),
            parent: None,
            name: "chat".into(),
            kind: SpanKind::Client,
            start: Timestamp::default(),
            end: Timestamp::default(),
            status: SpanStatus::Unset,
            attributes: attributes.as_object().cloned().unwrap_or_default(),
            events: Vec::new(),
            links: Vec::new(),
        }
    }

    fn priced(attributes: &Value) -> (Option<i64>, Map<String, Value>) {
        let mut span = span(attributes);
        price(&mut span, &Flat);
        (Facts::of(&span).cost, span.attributes)
    }

    #[test]
    fn a_price_is_asked_once_for_each_model_and_never_where_there_is_nothing_to_price() {
        let asked = |attributes: Value| {
            let prices = Asked::default();
            price(&mut span(&attributes), &prices);
            prices.0.into_inner().unwrap()
        };
        let call = |answered: &str| json!({"gen_ai.request.model": "a", "gen_ai.response.model": answered, "gen_ai.usage.output_tokens": 1});
        assert_eq!(asked(call("a")), ["a"]);
        assert_eq!(asked(call("b")), ["a", "b"]);
        assert_eq!(asked(json!({"gen_ai.request.model": "a"})), [""; 0], "no tokens");
        assert_eq!(asked(json!({"gen_ai.usage.input_tokens": 1})), [""; 0], "no model");
    }

    #[test]
    fn tokens_of_a_known_model_are_priced_and_what_a_sender_says_of_cost_stays() {
        let call = json!({"gen_ai.request.model": "gpt", "gen_ai.usage.input_tokens": 1_500, "gen_ai.usage.output_tokens": 500});
        let (cost, attributes) = priced(&call);
        assert_eq!((cost, &attributes[PRICE]), (Some(2_000_000), &json!("gpt@1")));
        assert_eq!(attributes[USAGE_FROM], "instrumented", "the sender says so, and nobody else");
        let answered =
            json!({"gen_ai.request.model": "alias", "gen_ai.response.model": "gpt", "gen_ai.usage.input_tokens": 1_000});
        assert_eq!(priced(&answered).0, Some(1_000_000));

        let mut own = call.clone();
        own["llm.cost.total"] = json!(0.5);
        assert_eq!(priced(&own), (Some(500_000_000), own.as_object().cloned().unwrap()));
        for unpriced in [
            json!({"gen_ai.request.model": "unheard of", "gen_ai.usage.input_tokens": 10}),
            json!({"gen_ai.request.model": "gpt"}),
            json!({"gen_ai.usage.input_tokens": 10}),
        ] {
            assert_eq!(priced(&unpriced), (None, unpriced.as_object().cloned().unwrap()));
        }
        // A call of this server has its own.
        let ours = json!({"mainspring.cost": "0.25", "gen_ai.request.model": "gpt", "gen_ai.usage.input_tokens": 10});
        assert_eq!(priced(&ours).0, Some(250_000_000));
    }

    proptest! {
        #[test]
        fn nothing_a_sender_says_is_changed(name in "gen_ai\\.usage\\.(input|output)_tokens|llm\\.token_count\\.prompt", said in any::<i64>()) {
            let before = json!({name: said, "gen_ai.request.model": "gpt"});
            let (cost, after) = priced(&before);
            prop_assert!(before.as_object().unwrap().iter().all(|(name, value)| after.get(name) == Some(value)));
            prop_assert!(cost.is_none_or(|cost| cost >= 0));
        }
    }
}
