//! Files of batches: their lines are the same however their bytes come, a line too long is not held, and a line is read or
//! refused with its number.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mainspring_batches::fuzzing::{lines, read};
use mainspring_fuzz::{memory, pieces};

fuzz_target!(|data: &[u8]| {
    let Some(([longest, seed @ ..], file)) = data.split_first_chunk::<3>() else { return };
    let longest = if *longest < 128 { usize::from(*longest) + 1 } else { 1 << 20 };
    let cut = pieces(file, *seed);
    let whole = lines(longest, &[file]);
    assert_eq!(lines(longest, &cut), whole);
    let breaks = file.iter().filter(|byte| **byte == b'\n').count() as u64;
    assert!(whole.windows(2).all(|pair| pair[0].0 < pair[1].0), "numbers grow");
    assert!(
        whole
            .iter()
            .all(|(number, text)| (1..=breaks + 1).contains(number) && text.as_ref().is_none_or(|text| text.len() <= longest))
    );
    for (number, text) in whole {
        let Some(Err(said)) = text.map(|text| read(number, &text)) else { continue };
        assert_eq!(said, Some(number));
    }
    if longest < 128 && !file.is_empty() {
        let endless = vec![b'x'; 4_096];
        let (_, held) = memory::most(|| lines(longest, &[endless.as_slice(); 64]));
        assert!(held < 64 * 1024, "{held} bytes of one line");
    }
});
