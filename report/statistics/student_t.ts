/** Student's t distribution (Student 1908), through the incomplete beta function (DLMF 8.17, 5.12). */

/** P(X ≤ t) for X of Student's distribution with `degrees` > 0 degrees of freedom. */
export function tCumulative(t: number, degrees: number): number {
  // P(|X| > |t|) = I_x(ν/2, 1/2) with x = ν / (ν + t²)
  const bothTails = regularizedBeta(degrees / (degrees + t * t), degrees / 2, 0.5);
  return t > 0 ? 1 - bothTails / 2 : bothTails / 2;
}

/** The t with P(X ≤ t) = `probability`, which lies strictly between 0 and 1: the inverse of tCumulative. */
export function tQuantile(probability: number, degrees: number): number {
  if (probability < 0.5) return -tQuantile(1 - probability, degrees);
  let [low, high] = [0, 1];
  while (tCumulative(high, degrees) < probability) [low, high] = [high, high * 2];
  for (;;) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) return middle;
    if (tCumulative(middle, degrees) < probability) low = middle;
    else high = middle;
  }
}

/** I_x(a, b) = 1/B(a, b) ∫₀ˣ t^(a−1) (1−t)^(b−1) dt for x in [0, 1] and positive a and b. */
export function regularizedBeta(x: number, a: number, b: number): number {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  // The fraction converges fast for x < (a + 1) / (a + b + 2); I_x(a, b) = 1 − I_(1−x)(b, a) otherwise (8.17.4).
  if (x > (a + 1) / (a + b + 2)) return 1 - regularizedBeta(1 - x, b, a);
  const logFront = a * Math.log(x) + b * Math.log1p(-x) + logGamma(a + b) - logGamma(a) - logGamma(b);
  return (Math.exp(logFront) / a) * betaFraction(x, a, b);
}

/** 1/(1 + d₁/(1 + d₂/(1 + …))), the continued fraction of DLMF 8.17.22, by Lentz's method (Lentz 1976). */
function betaFraction(x: number, a: number, b: number): number {
  const notZero = (value: number) => (Math.abs(value) < 1e-300 ? 1e-300 : value);
  let [c, d, fraction, factor] = [1, 0, 1, 0];
  for (let n = 1; Math.abs(factor - 1) > 4 * Number.EPSILON; n++) {
    const m = Math.floor(n / 2);
    const numerator = n % 2 === 0 ? m * (b - m) : -(a + m) * (a + b + m);
    const term = (numerator * x) / ((a + n - 1) * (a + n));
    d = 1 / notZero(1 + term * d);
    c = notZero(1 + term / c);
    factor = c * d;
    fraction *= factor;
  }
  return 1 / fraction;
}

/** ln Γ(x) for x > 0, by Γ(x + 1) = x Γ(x) up to x ≥ 10 and Stirling's series from there (DLMF 5.11.1). */
export function logGamma(x: number): number {
  if (x < 10) return logGamma(x + 1) - Math.log(x);
  const square = 1 / (x * x);
  const series = (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188)))) / x;
  return (x - 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + series;
}
