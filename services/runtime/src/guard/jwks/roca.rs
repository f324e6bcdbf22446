//! Moduli whose primes were not chosen at random (CVE-2017-15361, "The Return of Coppersmith's Attack", 2017).
//!
//! A library in smart cards made each prime as a power of 65,537 modulo a product of small primes, so that the modulus too is a
//! power of 65,537 modulo each of these. A random modulus is that by a chance of 1 in 2^27.

/// Primes of which less than all numbers are powers of the generator; the products for all lengths of key have them.
const PRIMES: [u32; 17] = [
    11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157,
];
const GENERATOR: u32 = 65_537;

/// Whether a modulus, big-endian, has the fingerprint.
pub(super) fn is_marked(modulus: &[u8]) -> bool {
    PRIMES
        .iter()
        .all(|&prime| is_power(remainder(modulus, prime), prime))
}

fn remainder(modulus: &[u8], prime: u32) -> u32 {
    modulus
        .iter()
        .fold(0, |rest, &byte| (rest << 8 | u32::from(byte)) % prime)
}

/// Whether a number is a power of the generator modulo a prime.
fn is_power(number: u32, prime: u32) -> bool {
    let powers = std::iter::successors(Some(1), |power| Some(power * (GENERATOR % prime) % prime));
    powers.take(prime as usize).any(|power| power == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Big-endian powers of the generator: each is the one before, times 2^16, plus itself.
    fn power(exponent: usize) -> Vec<u8> {
        (0..exponent).fold(vec![1], |power, _| {
            let mut product = [power.clone(), vec![0, 0]].concat();
            let mut carry = 0;
            for (place, byte) in power.iter().rev().enumerate() {
                let at = product.len() - 1 - place;
                let sum = u16::from(product[at]) + u16::from(*byte) + carry;
                product[at] = sum.to_le_bytes()[0];
                carry = sum >> 8;
            }
            let high = product.len() - power.len();
            for at in (0..high).rev() {
                let sum = u16::from(product[at]) + carry;
                product[at] = sum.to_le_bytes()[0];
                carry = sum >> 8;
            }
            product
        })
    }

    #[test]
    fn powers_of_the_generator_are_marked_and_their_neighbours_are_not() {
        assert_eq!(power(2), [1, 0, 2, 0, 1]);
        for exponent in [1, 2, 64, 128, 256] {
            let marked = power(exponent);
            assert!(is_marked(&marked), "{exponent}");
            let mut other = marked.clone();
            *other.last_mut().unwrap() += 2;
            assert!(!is_marked(&other), "{exponent}");
        }
    }

    #[test]
    fn a_modulus_is_marked_only_by_all_of_the_primes() {
        for prime in PRIMES {
            let powers = (0..prime).filter(|&number| is_power(number, prime));
            assert!(powers.count() < prime as usize - 1, "{prime} tells nothing");
        }
    }
}
