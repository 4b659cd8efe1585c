use proptest::prelude::*;

use super::*;

#[test]
fn integers_have_one_form() {
    for value in [0, 1, -1, 9, 10, -10, 1_234_567_890, i64::MIN, i64::MAX] {
        assert_eq!(parse_i64(value.to_string().as_bytes()), Some(value));
    }
    for text in [
        "",
        "-",
        "+1",
        "01",
        "-0",
        "-01",
        " 1",
        "1 ",
        "1a",
        "0x1",
        "--1",
        "1\0",
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999",
        "100000000000000000000000",
    ] {
        assert_eq!(parse_i64(text.as_bytes()), None, "{text}");
    }
    assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
    assert_eq!(parse_u64(b"18446744073709551616"), None);
    assert_eq!(parse_u64(b"-1"), None);
}

// What follows was asked of redis-server 8.2.3: ZADD and ZSCORE, then INCRBYFLOAT. Beside these
// tables, 450,000 random values each were compared once, without a difference.

#[test]
#[allow(clippy::float_cmp, reason = "the exact value is the point")]
fn floats_are_read_as_redis_reads_them() {
    for (text, wanted) in [
        ("1", 1.0),
        ("-1.5", -1.5),
        ("+5", 5.0),
        ("5.", 5.0),
        (".5", 0.5),
        ("+.5e1", 5.0),
        ("01", 1.0),
        ("1E5", 1e5),
        ("1e+5", 1e5),
        ("1e0000000000000001", 10.0),
        ("0e99999999999999", 0.0),
        ("0e-999", 0.0),
        ("1e-320", 1e-320),
        ("3e-324", 5e-324),
        ("inf", f64::INFINITY),
        ("-INF", f64::NEG_INFINITY),
        ("+iNfinity", f64::INFINITY),
        ("1.7976931348623158e308", f64::MAX),
    ] {
        assert_eq!(parse_f64(text.as_bytes()), Some(wanted), "{text}");
    }
    for text in [
        "",
        "+",
        "-",
        ".",
        "e5",
        "1e",
        "1e+",
        " 1",
        "1 ",
        "1\t",
        "1\0",
        "1_0",
        "1,0",
        "1d5",
        "1f",
        "++1",
        "1.2.3",
        "nan",
        "-nan",
        "NaN",
        "nan(1)",
        "infi",
        "infinityx",
        "inf ",
        "2e308",
        "-1e500",
        "1e-400",
        "2e-324",
        "\u{661}",
    ] {
        assert_eq!(parse_f64(text.as_bytes()), None, "{text}");
    }
}

#[test]
#[allow(clippy::float_cmp, reason = "the exact value is the point")]
fn hexadecimal_floats_are_read_as_redis_reads_them() {
    for (text, wanted) in [
        ("0x10", 16.0),
        ("-0x1p3", -8.0),
        ("0X1P-2", 0.25),
        ("0x1.8", 1.5),
        ("0x.8", 0.5),
        ("0x0p-99999", 0.0),
        ("0x1p-1074", 5e-324),
        ("0x1.8p-1075", 5e-324),
        ("0x1.fffffffffffff7p1023", f64::MAX),
        ("0x1.00000000000008p0", 1.0),
        ("0x1.000000000000081p0", 1.000_000_000_000_000_2),
        ("0x1.00000000000018p0", 1.000_000_000_000_000_4),
        ("0x123456789abcdef1234", 5_373_003_642_731_685_000_000.0),
    ] {
        assert_eq!(parse_f64(text.as_bytes()), Some(wanted), "{text}");
    }
    for text in [
        "0x",
        "0x.",
        "0x1g",
        "0x1.8p",
        "0x1p5000",
        "0x1p-1080",
        "0x1p-1075",
        "0x1.fffffffffffff8p1023",
        "0x1p99999999999999999999",
    ] {
        assert_eq!(parse_f64(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn floats_are_printed_as_redis_prints_them() {
    for (value, wanted) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (3.0, "3"),
        (3.5, "3.5"),
        (-0.1, "-0.1"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (f64::NAN, "nan"),
        (1e18, "1000000000000000000"),
        (4e18, "4000000000000000000"),
        (5e18, "5e+18"),
        (1e19, "1e+19"),
        (1e20, "1e+20"),
        (9.2e18, "9.2e+18"),
        (4_611_686_018_427_387_904.0, "4611686018427387904"),
        (-4_611_686_018_427_388_928.0, "-4611686018427389000"),
        (123_456_789_012_345_678.0, "123456789012345680"),
        (9_223_372_036_854_775_807.0, "9223372036854776000"),
        (1e-5, "0.00001"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1.5e300, "1.5e+300"),
        (5e-324, "5e-324"),
        (f64::MAX, "1.7976931348623157e+308"),
        (-240_769.553_352_544_43, "-2.4076955335254443e+5"),
        // A digit more than the shortest text.
        (6_033.563_130_719_122, "6033.5631307191215"),
    ] {
        let text = Double::new(value);
        assert_eq!(text.as_bytes().escape_ascii().to_string(), wanted);
    }
}

fn sum(current: &str, increment: &str) -> String {
    match add_decimal(current.as_bytes(), increment.as_bytes()) {
        Ok(text) => String::from_utf8(text).unwrap(),
        Err(error) => format!("{error:?}"),
    }
}

#[test]
fn decimals_add_up_as_in_redis() {
    for (current, increment, wanted) in [
        ("5.0e3", "200", "5200"),
        ("10.5", "0.1", "10.6"),
        ("3.0e3", "0", "3000"),
        ("0.1", "0.2", "0.3"),
        ("0", "1e-10", "0.0000000001"),
        ("0", "1e-17", "0.00000000000000001"),
        ("0", "1e-18", "0"),
        ("0", "5e-18", "0"),
        ("0", "-0", "0"),
        ("-0", "-0", "0"),
        ("3", "-3", "0"),
        ("3", "-3.0000000000000000001", "0"),
        ("0", "0x10", "16"),
        ("0", "0x1p3", "8"),
        ("0", "0x.8", "0.5"),
        ("0", "-0x8", "-8"),
        ("1", "+1", "2"),
        ("1", ".5", "1.5"),
        ("1", "5.", "6"),
        ("9223372036854775807", "1", "9223372036854775808"),
        ("18446744073709551615", "1", "18446744073709551616"),
        ("18446744073709551616", "1", "18446744073709551616"),
        (
            "123456789012345678901234567890",
            "0",
            "123456789012345678899921813504",
        ),
        ("0", "1.0000000000000000000001", "1"),
        ("0", "0.123456789012345678901", "0.12345678901234568"),
        ("0", "1e-4940", "0"),
        ("0", "1e-4950", "0"),
        ("0", "0x1p-16445", "0"),
        ("0", "0e99999999999", "0"),
        ("251.259", "-73.734", "177.52499999999999999"),
    ] {
        assert_eq!(sum(current, increment), wanted, "{current} + {increment}");
    }
    let huge = sum("0", "1e4932");
    assert_eq!(huge.len(), 4933);
    assert!(huge.starts_with("1000000000000000000006018949387963891323"));
}

#[test]
fn what_is_no_decimal_is_refused() {
    let zeros = |count: usize| "0".repeat(count) + "1";
    assert_eq!(sum("0", &zeros(5118)), "1");
    for text in [
        "abc",
        "",
        " 1",
        "1 ",
        ".",
        "1e",
        "1e+",
        "nan",
        "nan(1)",
        "1\0",
        "0x",
        "0x.",
        "1_0",
        "1p3",
        "0x1.8p",
        "1.2e4932",
        "1e-4951",
        "1e99999999999999999",
        "1e-99999999999999999",
        "0x1p16384",
        "0x1p-16446",
        "0x1p99999999999999999999",
        &zeros(5119),
        &"1".repeat(5000),
    ] {
        assert_eq!(sum("0", text), "NotAFloat", "{text}");
        assert_eq!(sum(text, "0"), "NotAFloat", "{text}");
    }
    for (current, increment) in [
        ("0", "inf"),
        ("inf", "1"),
        ("inf", "-inf"),
        ("1", "-INFINITY"),
        ("1.18e4932", "1.18e4932"),
    ] {
        assert_eq!(sum(current, increment), "NotFinite");
    }
}

proptest! {
    #[test]
    fn printed_floats_read_back(bits: u64) {
        let value = f64::from_bits(bits);
        prop_assume!(!value.is_nan());
        let text = Double::new(value);
        prop_assert_eq!(parse_f64(text.as_bytes()), Some(value));
    }

    #[test]
    fn texts_of_integers_read_back(value: i64) {
        prop_assert_eq!(parse_i64(value.to_string().as_bytes()), Some(value));
    }

    #[test]
    fn the_long_way_agrees_with_the_short_one(digits in 1u64.., exponent in -18i32..=19) {
        // Twenty digits are one too many for the short way and change nothing in the value.
        let short = extended::decimal(format!("{digits}e{exponent}").as_bytes());
        let long = format!("{digits}.{}1e{exponent}", "0".repeat(60));
        let long = extended::decimal(long.as_bytes());
        let (short, long) = (short.unwrap(), long.unwrap());
        prop_assert_eq!(short.exponent, long.exponent);
        prop_assert!(long.significand - short.significand <= 1);
    }

    #[test]
    fn sums_are_right_to_seventeen_digits(
        a in -1_000_000_000i64..1_000_000_000,
        b in -1_000_000_000i64..1_000_000_000,
    ) {
        let text = |millionths: i64| {
            let sign = if millionths < 0 { "-" } else { "" };
            let size = millionths.unsigned_abs();
            format!("{sign}{}.{:06}", size / 1_000_000, size % 1_000_000)
        };
        // The last of the digits after the point may show the rounding, as in Redis.
        let sum = sum(&text(a), &text(b));
        let (integer, fraction) = sum.split_once('.').unwrap_or((&sum, ""));
        let places = format!("{fraction:0<17}");
        let got: i128 = format!("{integer}{places}").parse().unwrap();
        prop_assert!((got - i128::from(a + b) * 100_000_000_000).abs() < 100);
    }
}
