use crate::command::testing::Bench;

#[test]
fn members_come_once() {
    let bench = Bench::new();
    assert_eq!(bench.run("SADD s 1 2 2"), ":2");
}
