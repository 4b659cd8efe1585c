use crate::command::testing::Bench;

#[test]
fn placeholder_of_a_round_trip() {
    let bench = Bench::new();
    assert_eq!(bench.run("HSET h a 1 b 2"), ":2");
}
