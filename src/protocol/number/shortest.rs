//! The text of a floating-point number as Redis prints scores.
//!
//! Redis prints the digits that Grisu2 finds (Loitsch, "Printing Floating-Point Numbers Quickly and
//! Accurately with Integers", 2010): always enough to read the same number back, and in about one
//! case of a thousand a digit more than needed. Such a digit is visible to clients that compare
//! text, so this is the same algorithm with the same choices where the paper leaves one, instead of
//! one that is always shortest. About 40 ns; integers below 2^62 take itoa's few.

/// Longest text: a sign, seventeen digits and the zeros after or before them.
const TEXT_BYTES_MAX: usize = 32;
/// Most digits that tell any two numbers apart.
const DIGITS_MAX: usize = 17;
/// Integers within this distance of zero are printed as such.
const INTEGER_MAX: f64 = 4_611_686_018_427_387_904.0;

/// The text of a floating-point number, on the stack.
#[derive(Clone, Copy, Debug)]
pub struct Double {
    bytes: [u8; TEXT_BYTES_MAX],
    len: usize,
}

impl Double {
    /// Formats `value` as Redis prints scores: `3`, `3.5`, `1e+20`, `inf`, `-inf`, `nan`.
    pub fn new(value: f64) -> Self {
        let mut text = Self {
            bytes: [0; TEXT_BYTES_MAX],
            len: 0,
        };
        if value.is_nan() {
            text.write(b"nan");
        } else if value.is_infinite() {
            text.write(if value > 0.0 { b"inf" } else { b"-inf" });
        } else if let Some(integer) = as_integer(value) {
            text.write(itoa::Buffer::new().format(integer).as_bytes());
        } else if value == 0.0 {
            text.write(b"-0");
        } else {
            if value < 0.0 {
                text.write(b"-");
            }
            text.write_digits(&Digits::of(value.abs()));
        }
        text
    }

    /// The text.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn write(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn write_zeros(&mut self, count: usize) {
        self.bytes[self.len..self.len + count].fill(b'0');
        self.len += count;
    }

    /// Chooses between plain and scientific notation and places the point.
    fn write_digits(&mut self, found: &Digits) {
        let digits = &found.ascii[..found.len];
        let places = found.exponent.unsigned_abs() as usize;
        let scientific = found.scientific_exponent();
        if found.exponent >= 0 && scientific.unsigned_abs() as usize <= digits.len() + 6 {
            self.write(digits);
            self.write_zeros(places);
        } else if found.exponent < 0 && (found.exponent > -7 || scientific.abs() < 4) {
            if places >= digits.len() {
                self.write(b"0.");
                self.write_zeros(places - digits.len());
                self.write(digits);
            } else {
                let (integer, fraction) = digits.split_at(digits.len() - places);
                self.write(integer);
                self.write(b".");
                self.write(fraction);
            }
        } else {
            self.write(&digits[..1]);
            if digits.len() > 1 {
                self.write(b".");
                self.write(&digits[1..]);
            }
            self.write(if scientific < 0 { b"e-" } else { b"e+" });
            let mut text = itoa::Buffer::new();
            self.write(text.format(scientific.unsigned_abs()).as_bytes());
        }
    }
}

/// Zero keeps its sign, so minus zero is no integer here.
fn as_integer(value: f64) -> Option<i64> {
    if value.abs() > INTEGER_MAX || value.fract() != 0.0 || value == 0.0 && value.is_sign_negative()
    {
        return None;
    }
    #[allow(
        clippy::cast_possible_truncation,
        reason = "an integer below 2^62 in magnitude"
    )]
    Some(value as i64)
}

/// `significand * 2^exponent`.
#[derive(Clone, Copy)]
struct Fp {
    significand: u64,
    exponent: i32,
}

impl Fp {
    fn normalized(self) -> Self {
        let shift = self.significand.leading_zeros();
        Self {
            significand: self.significand << shift,
            exponent: self.exponent - shift.cast_signed(),
        }
    }

    /// The product's upper half, rounded.
    fn times(self, other: Self) -> Self {
        let product = u128::from(self.significand) * u128::from(other.significand);
        let rounded = (product + (1 << 63)) >> 64;
        Self {
            significand: u64::try_from(rounded).unwrap_or(u64::MAX),
            exponent: self.exponent + other.exponent + 64,
        }
    }
}

/// `ascii * 10^exponent`.
struct Digits {
    ascii: [u8; DIGITS_MAX + 1],
    len: usize,
    exponent: i32,
}

impl Digits {
    /// Exponent of the first digit.
    fn scientific_exponent(&self) -> i32 {
        self.exponent + i32::try_from(self.len).unwrap_or(0) - 1
    }

    /// The digits of a positive number: some that lie within the number's rounding interval, as few
    /// as a scaled product of 64 bits can tell.
    fn of(value: f64) -> Self {
        let (value, low, high) = with_boundaries(value);
        let (power, power_exponent) = cached_power(high.exponent);
        let value = value.times(power);
        // One unit inwards on both sides makes up for the error of the products.
        let low = low.times(power).significand + 1;
        let high = Fp {
            significand: high.times(power).significand - 1,
            exponent: value.exponent,
        };
        let mut found = Self {
            ascii: [0; DIGITS_MAX + 1],
            len: 0,
            exponent: -power_exponent,
        };
        found.generate(
            high,
            high.significand - value.significand,
            high.significand - low,
        );
        found
    }

    /// Takes digits off `high` until what is left is inside the interval of width `delta`;
    /// `distance` is how far below `high` the number itself lies.
    fn generate(&mut self, high: Fp, distance: u64, delta: u64) {
        let shift = high.exponent.unsigned_abs();
        let one = 1u64 << shift;
        let mut integer = high.significand >> shift;
        let mut fraction = high.significand & (one - 1);
        let mut unit = 1_000_000_000u64;
        for kappa in (0..10).rev() {
            self.push(integer / unit);
            integer %= unit;
            let rest = (integer << shift) + fraction;
            if rest <= delta {
                self.exponent += kappa;
                self.round(distance, delta, rest, unit << shift);
                return;
            }
            unit /= 10;
        }
        let (mut distance, mut delta) = (distance, delta);
        loop {
            fraction *= 10;
            delta *= 10;
            distance = distance.wrapping_mul(10);
            self.exponent -= 1;
            self.push(fraction >> shift);
            fraction &= one - 1;
            if fraction < delta {
                self.round(distance, delta, fraction, one);
                return;
            }
        }
    }

    /// Appends a digit, unless it is a leading zero.
    fn push(&mut self, digit: u64) {
        if digit != 0 || self.len != 0 {
            self.ascii[self.len] = b'0' + u8::try_from(digit).unwrap_or(9);
            self.len += 1;
        }
    }

    /// Lowers the last digit while that brings the digits nearer to the number.
    fn round(&mut self, distance: u64, delta: u64, mut rest: u64, unit: u64) {
        while rest < distance
            && delta - rest >= unit
            && (rest + unit < distance || distance - rest > rest + unit - distance)
        {
            self.ascii[self.len - 1] -= 1;
            rest += unit;
        }
    }
}

/// The number and the ends of its rounding interval, all three normalized; the ends share their
/// exponent.
fn with_boundaries(value: f64) -> (Fp, Fp, Fp) {
    const FRACTION_BITS: u32 = f64::MANTISSA_DIGITS - 1;
    const HIDDEN: u64 = 1 << FRACTION_BITS;
    let bits = value.to_bits();
    let biased = i32::try_from(bits >> FRACTION_BITS & 0x7ff).unwrap_or(0);
    let fraction = bits & (HIDDEN - 1);
    let number = Fp {
        significand: if biased == 0 {
            fraction
        } else {
            fraction | HIDDEN
        },
        exponent: biased.max(1) - 1075,
    };
    let high = Fp {
        significand: number.significand * 2 + 1,
        exponent: number.exponent - 1,
    }
    .normalized();
    // Below a power of two the neighbours are half as far away.
    let closer = if number.significand == HIDDEN { 2 } else { 1 };
    let low = Fp {
        significand: (number.significand << closer) - 1,
        exponent: number.exponent - closer,
    };
    let low = Fp {
        significand: low.significand << (low.exponent - high.exponent),
        exponent: high.exponent,
    };
    (number.normalized(), low, high)
}

/// A power of ten that brings a number with this exponent to an exponent from -60 to -32, and its
/// decimal exponent. Where two of them do, it is the one that a search from the estimate meets
/// first.
fn cached_power(exponent: i32) -> (Fp, i32) {
    const LOG10_OF_2: f64 = std::f64::consts::LOG10_2;
    let estimate = -f64::from(exponent + 87) * LOG10_OF_2;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "exponents of f64 are small, and the smallest power is below all of them"
    )]
    let mut index = ((estimate as i32 - POWER_MIN) / POWER_STEP) as usize;
    loop {
        let (significand, power_exponent) = POWERS[index];
        let product = exponent + power_exponent + 64;
        if product < -60 {
            index += 1;
        } else if product > -32 {
            index -= 1;
        } else {
            let power = Fp {
                significand,
                exponent: power_exponent,
            };
            let decimal = POWER_MIN + POWER_STEP * i32::try_from(index).unwrap_or(0);
            return (power, decimal);
        }
    }
}

/// Decimal exponent of the first of [`POWERS`], and the distance between two.
const POWER_MIN: i32 = -348;
const POWER_STEP: i32 = 8;

/// Powers of ten from 10^-348 to 10^340, rounded to 64 bits.
#[rustfmt::skip]
static POWERS: [(u64, i32); 87] = [
    (0xfa8f_d5a0_081c_0288, -1220), (0xbaae_e17f_a23e_bf76, -1193),
    (0x8b16_fb20_3055_ac76, -1166), (0xcf42_894a_5dce_35ea, -1140),
    (0x9a6b_b0aa_5565_3b2d, -1113), (0xe61a_cf03_3d1a_45df, -1087),
    (0xab70_fe17_c79a_c6ca, -1060), (0xff77_b1fc_bebc_dc4f, -1034),
    (0xbe56_91ef_416b_d60c, -1007), (0x8dd0_1fad_907f_fc3c, -980),
    (0xd351_5c28_3155_9a83, -954), (0x9d71_ac8f_ada6_c9b5, -927),
    (0xea9c_2277_23ee_8bcb, -901), (0xaecc_4991_4078_536d, -874),
    (0x823c_1279_5db6_ce57, -847), (0xc210_9436_4dfb_5637, -821),
    (0x9096_ea6f_3848_984f, -794), (0xd774_85cb_2582_3ac7, -768),
    (0xa086_cfcd_97bf_97f4, -741), (0xef34_0a98_172a_ace5, -715),
    (0xb238_67fb_2a35_b28e, -688), (0x84c8_d4df_d2c6_3f3b, -661),
    (0xc5dd_4427_1ad3_cdba, -635), (0x936b_9fce_bb25_c996, -608),
    (0xdbac_6c24_7d62_a584, -582), (0xa3ab_6658_0d5f_daf6, -555),
    (0xf3e2_f893_dec3_f126, -529), (0xb5b5_ada8_aaff_80b8, -502),
    (0x8762_5f05_6c7c_4a8b, -475), (0xc9bc_ff60_34c1_3053, -449),
    (0x964e_858c_91ba_2655, -422), (0xdff9_7724_7029_7ebd, -396),
    (0xa6df_bd9f_b8e5_b88f, -369), (0xf8a9_5fcf_8874_7d94, -343),
    (0xb944_7093_8fa8_9bcf, -316), (0x8a08_f0f8_bf0f_156b, -289),
    (0xcdb0_2555_6531_31b6, -263), (0x993f_e2c6_d07b_7fac, -236),
    (0xe45c_10c4_2a2b_3b06, -210), (0xaa24_2499_6973_92d3, -183),
    (0xfd87_b5f2_8300_ca0e, -157), (0xbce5_0864_9211_1aeb, -130),
    (0x8cbc_cc09_6f50_88cc, -103), (0xd1b7_1758_e219_652c, -77),
    (0x9c40_0000_0000_0000, -50), (0xe8d4_a510_0000_0000, -24),
    (0xad78_ebc5_ac62_0000, 3), (0x813f_3978_f894_0984, 30),
    (0xc097_ce7b_c907_15b3, 56), (0x8f7e_32ce_7bea_5c70, 83),
    (0xd5d2_38a4_abe9_8068, 109), (0x9f4f_2726_179a_2245, 136),
    (0xed63_a231_d4c4_fb27, 162), (0xb0de_6538_8cc8_ada8, 189),
    (0x83c7_088e_1aab_65db, 216), (0xc45d_1df9_4271_1d9a, 242),
    (0x924d_692c_a61b_e758, 269), (0xda01_ee64_1a70_8dea, 295),
    (0xa26d_a399_9aef_774a, 322), (0xf209_787b_b47d_6b85, 348),
    (0xb454_e4a1_79dd_1877, 375), (0x865b_8692_5b9b_c5c2, 402),
    (0xc835_53c5_c896_5d3d, 428), (0x952a_b45c_fa97_a0b3, 455),
    (0xde46_9fbd_99a0_5fe3, 481), (0xa59b_c234_db39_8c25, 508),
    (0xf6c6_9a72_a398_9f5c, 534), (0xb7dc_bf53_54e9_bece, 561),
    (0x88fc_f317_f222_41e2, 588), (0xcc20_ce9b_d35c_78a5, 614),
    (0x9816_5af3_7b21_53df, 641), (0xe2a0_b5dc_971f_303a, 667),
    (0xa8d9_d153_5ce3_b396, 694), (0xfb9b_7cd9_a4a7_443c, 720),
    (0xbb76_4c4c_a7a4_4410, 747), (0x8bab_8eef_b640_9c1a, 774),
    (0xd01f_ef10_a657_842c, 800), (0x9b10_a4e5_e991_3129, 827),
    (0xe710_9bfb_a19c_0c9d, 853), (0xac28_20d9_623b_f429, 880),
    (0x8044_4b5e_7aa7_cf85, 907), (0xbf21_e440_03ac_dd2d, 933),
    (0x8e67_9c2f_5e44_ff8f, 960), (0xd433_179d_9c8c_b841, 986),
    (0x9e19_db92_b4e3_1ba9, 1013), (0xeb96_bf6e_badf_77d9, 1039),
    (0xaf87_023b_9bf0_ee6b, 1066), 
];
