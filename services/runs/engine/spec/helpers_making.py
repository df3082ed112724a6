"""Helpers of exported specs that make values: fixtures, and what comes from the environment."""

from __future__ import annotations

from typing import Final

MAKING: Final = {
    "required": """\
/** A variable of the environment without which nothing can be tested. */
function required(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`set the environment variable ${name}`);
  return value;
}
""",
    "bound": """\
/** A value that an earlier test has captured. */
function bound(value: string, name: string): string {
  if (value === '') throw new Error(`${name} was not captured`);
  return value;
}
""",
    "bare": """\
/** A path without the slash at its end. */
function bare(path: string): string {
  return path.replace(/\\/+$/, '') || '/';
}
""",
    "escaped": """\
/** A text as a regular expression takes it. */
function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\\]\\\\]/g, '\\\\$&');
}
""",
    "pick": """\
function pick(from: readonly string[]): string {
  return from[Math.floor(Math.random() * from.length)] as string;
}
""",
    "letters": """\
function letters(length: number, alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789'): string {
  return Array.from({ length }, () => pick([...alphabet])).join('');
}
""",
    "whole": """\
function whole(least: number, most: number): string {
  return String(least + Math.floor(Math.random() * (most - least + 1)));
}
""",
    "newPassword": """\
/** 16 characters with lower, upper, digit and symbol. */
function newPassword(): string {
  const all = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!@#%*-_=+?';
  return 'a' + letters(12, all) + 'Z' + '7' + '!';
}
""",
    "newDate": """\
function newDate(format: string, offset: number): string {
  const at = new Date(Date.now() + offset * 86_400_000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const values: Record<string, string> = {
    YYYY: String(at.getUTCFullYear()).padStart(4, '0'),
    MM: two(at.getUTCMonth() + 1),
    DD: two(at.getUTCDate()),
    HH: two(at.getUTCHours()),
    mm: two(at.getUTCMinutes()),
    ss: two(at.getUTCSeconds()),
  };
  const others: Record<string, string> = {
    '%Y': 'YYYY', '%m': 'MM', '%d': 'DD', '%H': 'HH', '%M': 'mm', '%S': 'ss',
  };
  const known = /YYYY|MM|DD|HH|mm|ss|%[YmdHMS]/g;
  return format.replace(known, (word) => values[others[word] ?? word] ?? word);
}
""",
}
