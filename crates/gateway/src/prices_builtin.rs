//! The prices everybody starts with.

use std::sync::{Arc, LazyLock};

use mainspring_kernel::Digest;

use crate::{cost::PriceTable, prices::PricesSpec};

/// Written as a project writes its own, so that a part of it can be copied, corrected and applied.
const TEXT: &str = include_str!("../prices.yaml");

static TABLE: LazyLock<Arc<PriceTable>> = LazyLock::new(|| {
    let spec = read().expect("a test reads the table that is compiled in");
    Arc::new(PriceTable::new(Digest::of(TEXT.as_bytes()), spec))
});

pub(crate) fn table() -> Arc<PriceTable> {
    Arc::clone(&TABLE)
}

fn read() -> Result<PricesSpec, yaml_serde::Error> {
    yaml_serde::from_str(TEXT)
}

#[cfg(test)]
mod tests {
    use super::{TABLE, read};

    #[test]
    fn the_built_in_table_is_sound() {
        let spec = read().unwrap();
        assert_eq!(spec.validate(), std::collections::BTreeMap::new());
        assert!(spec.models.len() > 200, "{}", spec.models.len());
        assert!(!TABLE.digest().short().is_empty());
    }

    #[test]
    fn who_waits_pays_less_and_who_does_not_pays_more() {
        let mut listed = 0;
        for price in read().unwrap().models {
            let usual = std::iter::once((price.rates(), &price.service_tiers));
            let places = usual.chain(price.tiers.iter().map(|tier| (tier.rates, &tier.service_tiers)));
            for (usual, served) in places {
                for (tier, rates) in served {
                    listed += 1;
                    let (rate, output) = (rates.input.cmp(&usual.input), rates.output.cmp(&usual.output));
                    let expected = if tier == "flex" { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater };
                    assert_eq!((rate, output), (expected, expected), "{}: {tier}", price.model);
                    assert!(rates.cache_read.is_some() || usual.cache_read.is_none(), "{}: {tier}", price.model);
                }
            }
        }
        assert!(listed > 80, "{listed}");
    }

    /// Whoever lists a discount for the cache or for batches lists it below the usual price.
    #[test]
    fn discounts_are_discounts() {
        for price in read().unwrap().models {
            assert!(price.cache_read.is_none_or(|read| read <= price.input), "{}: cache_read", price.model);
            assert!(
                price.batch.is_none_or(|batch| batch.input <= price.input && batch.output <= price.output),
                "{}",
                price.model
            );
            let mut before = price.input;
            for tier in &price.tiers {
                assert!(tier.rates.input >= before, "{}: a longer input is not cheaper", price.model);
                before = tier.rates.input;
            }
        }
    }
}
