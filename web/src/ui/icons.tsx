// Line icons on a 16-pixel grid, drawn in the text's colour.

import type { ReactNode, SVGProps } from "react";

const shapes = {
  home: <path d="M2.5 7 8 2.5 13.500 7v6a.5.5 0 0 1-.5.5H9.750V9.500h-3.500v4H3a.5.5 0 0 1-.5-.5Z" />,
  chat: <path d="M3 2.750h10c.4 0 .75.35.75.75v6.750c0 .4-.35.75-.75.75H7.500L4.500 13.500V11H3a.75.75 0 0 1-.75-.75V3.500c0-.4.35-.75.75-.75Z" />,
  book: (
    <path d="M8 4c-1.200-1-2.800-1.400-5.500-1.400v9.800c2.700 0 4.300.4 5.500 1.400m0-9.800c1.200-1 2.800-1.400 5.500-1.400v9.800c-2.700 0-4.300.4-5.500 1.400M8 4v9.800" />
  ),
  trace: <path d="M2.250 3.500h6.500M5 6.500h6M7.500 9.500h6.250M9.500 12.500h3" />,
  layers: <path d="m8 2 6 3.250L8 8.500 2 5.250ZM2.250 8.250 8 11.350l5.750-3.100M2.250 11 8 14.100 13.750 11" />,
  sliders: <path d="M2.250 4.500h6m3.500 0h2M2.250 11.500h2m3.500 0h6M10 2.750v3.500M6 9.750v3.500" />,
  search: <path d="M7 11.750a4.750 4.750 0 1 0 0-9.500 4.750 4.750 0 0 0 0 9.500Zm3.500-1.250 3.250 3.250" />,
  sun: (
    <path d="M8 10.750a2.750 2.750 0 1 0 0-5.500 2.750 2.750 0 0 0 0 5.500ZM8 1.500v1.250m0 10.500v1.250M1.500 8h1.250m10.500 0h1.250M3.400 3.400l.9.9m7.400 7.400.9.9m0-9.200-.9.900m-7.400 7.400-.9.9" />
  ),
  moon: <path d="M13.500 9.600A5.750 5.750 0 0 1 6.400 2.500a5.750 5.750 0 1 0 7.100 7.100Z" />,
  system: <path d="M2.250 3h11.500v7.500H2.250ZM6 13.250h4M8 10.500v2.750" />,
  help: <path d="M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM6.250 6.250A1.750 1.750 0 1 1 8.500 7.950c-.35.15-.5.4-.5.75v.3m0 2.050v.1" />,
  close: <path d="m3.750 3.750 8.500 8.500m0-8.500-8.500 8.500" />,
  check: <path d="m3 8.500 3.250 3.250L13 4.750" />,
  right: <path d="m6 3.500 4.500 4.500L6 12.500" />,
  down: <path d="m3.500 6 4.500 4.500L12.500 6" />,
  left: <path d="M10 3.500 5.500 8l4.500 4.500" />,
  arrow: <path d="M3 8h10M9.250 4.250 13 8l-3.750 3.750" />,
  plus: <path d="M8 3v10M3 8h10" />,
  send: <path d="M8 13V3.250M4 7l4-4 4 4" />,
  thumbUp: (
    <path d="M5.250 7 8 2.250c.9 0 1.500.7 1.400 1.600L9.100 6.250h3.200c.8 0 1.300.7 1.150 1.450l-.9 4.300a1.200 1.200 0 0 1-1.200 1H5.250ZM5.250 7H2.750v6h2.500" />
  ),
  thumbDown: (
    <path d="M10.750 9 8 13.750c-.9 0-1.500-.7-1.400-1.600l.3-2.400H3.700c-.8 0-1.300-.7-1.150-1.450l.9-4.300a1.200 1.200 0 0 1 1.200-1h6.100ZM10.750 9h2.500V3h-2.500" />
  ),
  stop: <rect x="4" y="4" width="8" height="8" rx="1.250" fill="currentColor" stroke="none" />,
  pause: <path d="M5.250 3.500v9M10.750 3.500v9" strokeWidth="2" />,
  play: <path d="M5 3.250v9.500L12.750 8Z" />,
  refresh: <path d="M13.250 8a5.250 5.250 0 1 1-1.600-3.770L13.250 5.750m0-3.250v3.250H10" />,
  copy: <path d="M5.750 5.750h7v7h-7ZM10.250 5.750v-2.500h-7v7h2.500" />,
  warn: <path d="M8 2.500 14.250 13.500H1.750ZM8 6.750v3m0 1.900v.1" />,
  error: <path d="M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 5v3.500m0 2.250v.1" />,
  info: <path d="M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 7.500V11m0-6v.1" />,
  file: <path d="M4 2h5l3.250 3.250V14H4ZM9 2v3.250h3.250" />,
  folder: <path d="M2 4.250V12.500h12V5.250H8L6.500 3.500H2Z" />,
  globe: (
    <path d="M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM2 8h12M8 2c1.750 1.800 2.500 3.800 2.500 6S9.750 12.200 8 14c-1.750-1.800-2.500-3.800-2.500-6S6.250 3.800 8 2Z" />
  ),
  git: (
    <path d="M5 5.500v5M5 5.500a1.500 1.500 0 1 0 0-3 1.500 1.500 0 0 0 0 3Zm0 8a1.500 1.500 0 1 0 0-3 1.500 1.500 0 0 0 0 3ZM11.500 7a1.500 1.500 0 1 0 0-3 1.500 1.500 0 0 0 0 3Zm0 0c0 2.250-1.250 3-3.500 3.250" />
  ),
  bucket: (
    <path d="M2.750 4.250c0-1 2.350-1.750 5.250-1.750s5.250.75 5.250 1.750S10.900 6 8 6s-5.250-.75-5.250-1.750Zm0 0 1 7.750c.1.900 2 1.500 4.250 1.500s4.150-.6 4.250-1.500l1-7.750" />
  ),
  clock: <path d="M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12Zm0-9.500V8l2.500 1.500" />,
  key: <path d="M5.500 13a2.750 2.750 0 1 0 0-5.500 2.750 2.750 0 0 0 0 5.500Zm2-4.700L13 2.750m-2.500 2.500 2 2M8.900 6.850l1.250 1.250" />,
  trash: <path d="M3 4.250h10M6 4.250V2.500h4v1.750m-5.750 0 .5 9.250h6.500l.5-9.250" />,
  external: <path d="M9 2.750h4.250V7m0-4.250L7.500 8.500M11.500 9v4h-8.750V4.250H7" />,
  filter: <path d="M2.250 3.500h11.500M4.500 8h7M6.750 12.500h2.500" />,
  diff: <path d="M5 2.500v7M2.500 6h5m1 6.500h5m-11 0h3.500" />,
  link: (
    <path d="M6.750 9.250a2.500 2.500 0 0 0 3.540 0l2.500-2.500a2.500 2.500 0 0 0-3.540-3.540l-.75.75M9.250 6.750a2.500 2.500 0 0 0-3.540 0l-2.500 2.500a2.500 2.500 0 0 0 3.540 3.540l.75-.75" />
  ),
  panel: <path d="M2.250 3h11.500v10H2.250ZM9.500 3v10" />,
  menu: <path d="M2.500 4.500h11M2.500 8h11M2.500 11.500h11" />,
  bolt: <path d="M9 1.750 3.500 9H8l-1 5.250L12.500 7H8Z" />,
  swap: <path d="M3 5.250h9.500M10 2.750l2.500 2.500L10 7.750M13 10.750H3.500M6 8.250l-2.500 2.500 2.500 2.500" />,
  target: <path d="M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12Zm0-3.250a2.750 2.750 0 1 0 0-5.500 2.750 2.750 0 0 0 0 5.500Z" />,
  bell: <path d="M8 2a4 4 0 0 0-4 4c0 3.500-1.500 4.750-1.500 5.500h11c0-.75-1.500-2-1.500-5.500a4 4 0 0 0-4-4Zm-1.500 12h3" />,
  chart: <path d="M2.250 13.500h11.500M4 13.500V8.250m4 5.250V3m4 10.500V6" />,
  list: <path d="M5.750 4h8m-8 4h8m-8 4h8M2.500 4h.1m-.1 4h.1m-.1 4h.1" />,
} satisfies Record<string, ReactNode>;

export type IconName = keyof typeof shapes;

export function Icon({ name, size = 16, ...rest }: { name: IconName; size?: number } & SVGProps<SVGSVGElement>) {
  return (
    <svg
      viewBox="0 0 16 16"
      width={size}
      height={size}
      fill="none"
      stroke="currentColor"
      strokeWidth="1.4"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
      {...rest}
    >
      {shapes[name]}
    </svg>
  );
}

/** A wound spring, two and a half turns. */
export function Mark({ size = 20 }: { size?: number }) {
  return (
    <svg
      className="mark"
      viewBox="0 0 24 24"
      width={size}
      height={size}
      fill="none"
      stroke="currentColor"
      strokeWidth="1.9"
      strokeLinecap="round"
      aria-hidden="true"
    >
      <path d={SPIRAL} />
    </svg>
  );
}

const SPIRAL = (() => {
  const points: string[] = [];
  const turns = 2.6;
  for (let i = 0; i <= 90; i++) {
    const t = i / 90;
    const angle = t * turns * 2 * Math.PI - 0.6;
    const radius = 1.2 + t * 8.6;
    points.push(`${(12 + radius * Math.cos(angle)).toFixed(2)} ${(12 + radius * Math.sin(angle)).toFixed(2)}`);
  }
  return `M${points.join("L")}`;
})();
