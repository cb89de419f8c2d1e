//! BERT on this machine's own units, beside the runtime and beside plain arithmetic. A machine without such units
//! runs the same models in the runtime, which the other tests look at.

use std::sync::Arc;

use proptest::prelude::*;
use rten_onnx::onnx::ModelProto;

use super::{files, tiny};
use crate::{
    batch::Padded,
    bert::{Unit, take_over},
    session::{Forward, Output, Session, Threads},
};

/// Texts of these lengths, padded to the longest, with ids from all over the vocabulary.
fn batch(lengths: &[usize], vocabulary: usize) -> Padded {
    let width = lengths.iter().copied().max().unwrap_or(0);
    let mut batch = Padded { rows: lengths.len(), width, ..Padded::default() };
    for length in lengths {
        for place in 0..width {
            let real = place < *length;
            batch.ids.push(if real { ((length * 977 + place * 3_571) % vocabulary) as i32 } else { 0 });
            batch.mask.push(i32::from(real));
            batch.types.push(0);
        }
    }
    batch
}

fn token(output: &Output, row: usize, place: usize) -> &[f32] {
    &output.data[(row * output.width + place) * output.depth..][..output.depth]
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

async fn on(unit: Unit, model: &str) -> (Session, Box<dyn Forward>) {
    let path = files(model).await.model;
    let runtime = Session::load(&path).unwrap();
    let taken = take_over(&path, unit, &runtime, &Threads::new(2)).unwrap();
    (runtime, taken)
}

#[tokio::test]
async fn every_built_in_embedder_is_taken_over_and_agrees_with_the_runtime_at_every_length() {
    let lengths = [1, 2, 15, 16, 17, 31, 32, 33, 48, 64, 65, 127, 128, 3];
    for model in ["all-minilm-l6-v2", "paraphrase-minilm-l3-v2"] {
        for unit in Unit::all() {
            let (runtime, taken) = on(*unit, model).await;
            let batch = batch(&lengths, 30_522);
            let expected = runtime.forward(&batch, &Threads::new(2)).unwrap();
            let ours = taken.forward(&batch, &Threads::new(2)).unwrap();
            assert_eq!((ours.width, ours.depth), (expected.width, expected.depth));
            for (row, length) in lengths.iter().enumerate() {
                for place in 0..*length {
                    let agreed = cosine(token(&ours, row, place), token(&expected, row, place));
                    assert!(agreed > 0.999, "{model} on {unit:?}: token {place} of {length} agrees to {agreed}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_text_has_the_same_numbers_in_any_company() {
    for unit in Unit::all() {
        let (_, taken) = on(*unit, "all-minilm-l6-v2").await;
        let threads = Threads::new(2);
        let lengths = [70, 12, 256, 33, 199, 200, 201, 5];
        let together = taken.forward(&batch(&lengths, 30_522), &threads).unwrap();
        for (row, length) in lengths.iter().enumerate() {
            let alone = taken.forward(&batch(&[*length], 30_522), &threads).unwrap();
            for place in 0..*length {
                assert_eq!(token(&alone, 0, place), token(&together, row, place), "token {place} of {length} on {unit:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_in_the_tables_is_refused() {
    for unit in Unit::all() {
        let (_, taken) = on(*unit, "all-minilm-l6-v2").await;
        let threads = Threads::new(1);
        let good = || batch(&[4, 9], 30_522);
        for id in [30_522, -1, i32::MAX] {
            let mut bad = good();
            bad.ids[3] = id;
            assert!(taken.forward(&bad, &threads).unwrap_err().contains("vocabulary"));
        }
        let mut bad = good();
        bad.types[0] = 2;
        assert!(taken.forward(&bad, &threads).unwrap_err().contains("vocabulary"));
        let mut bad = good();
        bad.mask[6] = 1;
        assert!(taken.forward(&bad, &threads).unwrap_err().contains("behind its end"));
        assert!(taken.forward(&batch(&[513], 30_522), &threads).unwrap_err().contains("512 places"));
        // Nothing to do is done.
        assert_eq!(taken.forward(&Padded::default(), &threads).unwrap().data.len(), 0);
        assert!(taken.forward(&batch(&[512, 1], 30_522), &threads).is_ok());
    }
}

#[tokio::test]
async fn another_model_stays_with_the_runtime() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("classifier.onnx");
    tiny::classifier(&path, &[vec![0.5], vec![1.0]]);
    for unit in Unit::all() {
        let runtime = Session::load(&path).unwrap();
        let fault = take_over(&path, *unit, &runtime, &Threads::new(1)).err().unwrap();
        assert!(fault.contains("word_embeddings"), "{fault}");
    }
}

/// What becomes of a made model file that the runtime is not asked about.
fn judged(model: &[u8], unit: Unit) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.onnx");
    std::fs::write(&path, model).unwrap();
    take_over(&path, unit, &Other, &Threads::new(1)).map(drop)
}

/// Answers as another model would.
struct Other;

impl Forward for Other {
    fn forward(&self, batch: &Padded, _: &Threads) -> Result<Output, String> {
        let data = (0..batch.rows * batch.width * 32).map(|i| ((i * 37) % 11) as f32 - 5.0).collect();
        Ok(Output { width: batch.width, depth: 32, data })
    }
}

#[test]
fn a_model_that_only_looks_like_one_stays_with_the_runtime() {
    for unit in Unit::all() {
        let fault = judged(&tiny::bert(|_| ()), *unit).unwrap_err();
        assert!(fault.contains("agrees to"), "{fault}");
        let wrong = tiny::bert(|model| {
            let weights = &mut model.graph.as_mut().unwrap().initializer;
            weights.retain(|weight| weight.name.as_deref() != Some("encoder.layer.0.output.LayerNorm.bias"));
        });
        assert!(judged(&wrong, *unit).unwrap_err().contains("output.LayerNorm.bias"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a file says of its weights, it is refused or run.
    #[test]
    fn a_damaged_model_is_refused_or_run(cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), end in any::<prop::sample::Index>(), cut in any::<bool>()) {
        let mut bytes = tiny::bert(|_| ());
        for (at, byte) in cuts {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        for unit in Unit::all() {
            let _ = judged(&bytes, *unit);
        }
    }

    #[test]
    fn dims_that_lie_are_refused(dims in prop::collection::vec(any::<i64>(), 0..4), which in any::<prop::sample::Index>()) {
        let bytes = tiny::bert(|model| {
            let weights = &mut model.graph.as_mut().unwrap().initializer;
            let which = which.index(weights.len());
            weights[which].dims.clone_from(&dims);
        });
        prop_assert!(ModelProto::parse_buf(&bytes).is_ok());
        for unit in Unit::all() {
            prop_assert!(judged(&bytes, *unit).is_err());
        }
    }
}

#[tokio::test]
async fn threads_that_run_at_once_do_not_disturb_each_other() {
    for unit in Unit::all() {
        let (_, taken) = on(*unit, "all-minilm-l6-v2").await;
        let taken: Arc<dyn Forward> = Arc::from(taken);
        let lengths: Vec<usize> = (1..60).collect();
        let alone = taken.forward(&batch(&lengths, 30_522), &Threads::new(1)).unwrap();
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let (taken, lengths) = (Arc::clone(&taken), lengths.clone());
                std::thread::spawn(move || taken.forward(&batch(&lengths, 30_522), &Threads::new(2)).unwrap())
            })
            .collect();
        for worker in workers {
            assert_eq!(worker.join().unwrap(), alone);
        }
    }
}
