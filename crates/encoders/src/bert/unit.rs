//! What multiplies: the matrix tiles of AMX, or AVX-512's bf16 products. Both take the same panels.
#![expect(unsafe_code, reason = "tiles are reached by assembly, and kernels read through pointers that `Block` has checked")]

use std::arch::{
    asm,
    x86_64::{
        __cpuid_count, __m512, _mm512_castsi512_ps, _mm512_dpbf16_ps, _mm512_loadu_ps, _mm512_set1_epi32, _mm512_setzero_ps,
        _mm512_storeu_ps,
    },
};

/// Rows and columns that a kernel makes at once, and the inputs of one of its steps.
pub(super) const BLOCK: usize = 32;
/// Numbers of a panel in one step: two tiles.
pub(super) const PANEL_STEP: usize = BLOCK * BLOCK;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Amx,
    Avx512,
}

impl Unit {
    /// The fastest one here.
    pub(crate) fn of_this_machine() -> Option<Self> {
        Self::all().first().copied()
    }

    /// Every one here, the fastest first.
    pub(crate) fn all() -> &'static [Self] {
        // What `math` needs comes with every processor that has either.
        let wide = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512bf16");
        match wide {
            false => &[],
            true if amx() => &[Self::Amx, Self::Avx512],
            true => &[Self::Avx512],
        }
    }
}

/// Whether there are bf16 tiles, and the system lets this process use them.
fn amx() -> bool {
    use std::sync::OnceLock;
    static ASKED: OnceLock<bool> = OnceLock::new();
    *ASKED.get_or_init(|| {
        let bits = __cpuid_count(7, 0).edx;
        let (bf16, tile) = (bits & 1 << 22 != 0, bits & 1 << 24 != 0);
        bf16 && tile && tiles_allowed()
    })
}

/// Linux keeps the tiles' 8 KB from a process until it asks for them (Documentation/arch/x86/xstate.rst).
#[cfg(target_os = "linux")]
fn tiles_allowed() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const REQUEST_PERMISSION: i64 = 0x1023;
    const TILE_DATA: i64 = 18;
    let mut answer = ARCH_PRCTL;
    // SAFETY: the call changes no memory of this process.
    unsafe {
        asm!("syscall", inout("rax") answer, in("rdi") REQUEST_PERMISSION, in("rsi") TILE_DATA, out("rcx") _, out("r11") _,
            options(nostack));
    }
    answer == 0
}

#[cfg(not(target_os = "linux"))]
fn tiles_allowed() -> bool {
    false
}

/// A thread that multiplies: its tiles are set up, and given back when it is done.
#[derive(Debug)]
pub(super) struct Ready(Unit);

/// Eight tiles of 16 rows of 64 bytes.
#[repr(C, align(64))]
struct TileConfig {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Unit {
    pub(super) fn ready(self) -> Ready {
        if self == Self::Amx {
            let mut config = TileConfig { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
            config.row_bytes[..8].fill(64);
            config.rows[..8].fill(16);
            // SAFETY: `Amx` exists only where the tiles may be used; the instruction reads 64 bytes.
            unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const config, options(nostack, readonly)) }
        }
        Ready(self)
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        if self.0 == Unit::Amx {
            // SAFETY: as above; nobody else of this thread uses tiles between batches.
            unsafe { asm!("tilerelease", options(nostack, nomem)) }
        }
    }
}

/// A product of `rows` (16 or 32) rows of `a` with one panel, into 32 columns of `c`.
#[derive(Debug)]
pub(super) struct Block<'a> {
    pub(super) rows: usize,
    /// Steps of 32 inputs.
    pub(super) steps: usize,
    pub(super) a: &'a [u16],
    pub(super) a_stride: usize,
    pub(super) panel: &'a [u16],
    pub(super) c: &'a mut [f32],
    pub(super) c_stride: usize,
}

impl Ready {
    #[inline]
    pub(super) fn multiply(&self, block: Block<'_>) {
        let Block { rows, steps, a, a_stride, panel, c, c_stride } = block;
        assert!(rows == 16 || rows == 32, "a block has one row of tiles or two");
        assert!(steps > 0 && a.len() >= (rows - 1) * a_stride + steps * BLOCK, "a block's rows are there");
        assert!(panel.len() >= steps * PANEL_STEP, "a block's panel is there");
        assert!(c.len() >= (rows - 1) * c_stride + BLOCK, "a block's place is there");
        let (a, panel, c) = (a.as_ptr(), panel.as_ptr(), c.as_mut_ptr());
        // SAFETY: everything a kernel reads and writes was checked to be there, and the unit is this machine's.
        unsafe {
            match (self.0, rows) {
                (Unit::Amx, 32) => amx_32(a, a_stride * 2, panel, steps, c, c_stride * 4),
                (Unit::Amx, _) => amx_16(a, a_stride * 2, panel, steps, c, c_stride * 4),
                (Unit::Avx512, _) => {
                    for first in (0..rows).step_by(EIGHT) {
                        avx512_8(a.add(first * a_stride), a_stride, panel, steps, c.add(first * c_stride), c_stride);
                    }
                }
            }
        }
    }
}

/// Strides in bytes.
unsafe fn amx_32(a: *const u16, a_stride: usize, panel: *const u16, steps: usize, c: *mut f32, c_stride: usize) {
    // SAFETY: the caller's; the tiles are configured by `Unit::ready`.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "2:",
            "tileloadd tmm6, [{b} + {line}*1]",
            "tileloadd tmm4, [{a0} + {sa}*1]",
            "tileloadd tmm7, [{b} + {line}*1 + 1024]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm5, [{a1} + {sa}*1]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {a0}, 64",
            "add {a1}, 64",
            "add {b}, 2048",
            "dec {n}",
            "jnz 2b",
            "tilestored [{c0} + {sc}*1], tmm0",
            "tilestored [{c0} + {sc}*1 + 64], tmm1",
            "tilestored [{c1} + {sc}*1], tmm2",
            "tilestored [{c1} + {sc}*1 + 64], tmm3",
            a0 = inout(reg) a => _,
            a1 = inout(reg) a.byte_add(16 * a_stride) => _,
            b = inout(reg) panel => _,
            n = inout(reg) steps => _,
            c0 = in(reg) c,
            c1 = in(reg) c.byte_add(16 * c_stride),
            sa = in(reg) a_stride,
            sc = in(reg) c_stride,
            line = in(reg) 64_usize,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}

unsafe fn amx_16(a: *const u16, a_stride: usize, panel: *const u16, steps: usize, c: *mut f32, c_stride: usize) {
    // SAFETY: the caller's; the tiles are configured by `Unit::ready`.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "2:",
            "tileloadd tmm4, [{a} + {sa}*1]",
            "tileloadd tmm6, [{b} + {line}*1]",
            "tileloadd tmm7, [{b} + {line}*1 + 1024]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "add {a}, 64",
            "add {b}, 2048",
            "dec {n}",
            "jnz 2b",
            "tilestored [{c} + {sc}*1], tmm0",
            "tilestored [{c} + {sc}*1 + 64], tmm1",
            a = inout(reg) a => _,
            b = inout(reg) panel => _,
            n = inout(reg) steps => _,
            c = in(reg) c,
            sa = in(reg) a_stride,
            sc = in(reg) c_stride,
            line = in(reg) 64_usize,
            out("tmm0") _, out("tmm1") _, out("tmm4") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}

/// Rows whose sums fit into the registers.
const EIGHT: usize = 8;

/// Strides in numbers.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn avx512_8(a: *const u16, a_stride: usize, panel: *const u16, steps: usize, c: *mut f32, c_stride: usize) {
    let mut sums: [[__m512; 2]; EIGHT] = [[_mm512_setzero_ps(); 2]; EIGHT];
    for step in 0..steps {
        for pair in 0..BLOCK / 2 {
            // SAFETY: the caller's.
            unsafe {
                let left = panel.add(step * PANEL_STEP + pair * BLOCK);
                let tiles = [_mm512_loadu_ps(left.cast()), _mm512_loadu_ps(left.add(PANEL_STEP / 2).cast())];
                let first = a.add(step * BLOCK + pair * 2);
                for (row, sums) in sums.iter_mut().enumerate() {
                    let pair = _mm512_castsi512_ps(_mm512_set1_epi32(first.add(row * a_stride).cast::<i32>().read_unaligned()));
                    for (sum, tile) in sums.iter_mut().zip(tiles) {
                        *sum = _mm512_dpbf16_ps(*sum, bh(pair), bh(tile));
                    }
                }
            }
        }
    }
    for (row, [left, right]) in sums.into_iter().enumerate() {
        // SAFETY: the caller's.
        unsafe {
            _mm512_storeu_ps(c.add(row * c_stride), left);
            _mm512_storeu_ps(c.add(row * c_stride + 16), right);
        }
    }
}

#[inline]
fn bh(bits: __m512) -> std::arch::x86_64::__m512bh {
    // SAFETY: both are 64 bytes of plain bits.
    unsafe { std::mem::transmute(bits) }
}
