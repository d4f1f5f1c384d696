//! Protobuf's wire format, without the messages of generated code in between: what a check costs is mostly that.

pub(super) mod reading;
pub(super) mod writing;

const VARINT: u64 = 0;
const EIGHT_BYTES: u64 = 1;
const SIZED: u64 = 2;
const GROUP: u64 = 3;
const END_OF_GROUP: u64 = 4;
const FOUR_BYTES: u64 = 5;
