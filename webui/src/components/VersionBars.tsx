import { useTranslation } from 'react-i18next';
import type { VersionShare } from '../logic/versions';

interface Props {
  label: string;
  versions: readonly VersionShare[];
  picked: string | null;
  onPick: (version: string) => void;
}

/** VersionBars is a bar chart of versions; each bar leads to the merchants behind it. */
export function VersionBars({ label, versions, picked, onPick }: Props) {
  const { t } = useTranslation();
  const most = Math.max(1, ...versions.map((v) => v.merchants));
  return (
    <ul className="versionbars" aria-label={label} data-testid="version-bars">
      {versions.map((v) => {
        const name = v.version || t('library.unknownVersion');
        return (
          <li key={v.version}>
            <button
              type="button"
              className="versionbars__bar"
              aria-label={t('library.show', { version: name, n: v.merchants })}
              aria-expanded={picked === v.version}
              onClick={() => onPick(v.version)}
              data-testid={`version-bar-${v.version || 'none'}`}
            >
              <span className="versionbars__name">{name}</span>
              <span className="versionbars__track">
                <i
                  className={v.version ? 'tone--good' : 'tone--ended'}
                  style={{ width: `${(v.merchants / most) * 100}%` }}
                />
              </span>
              <b>{v.merchants}</b>
              <span className="faint">{t('library.share', { percent: v.percent })}</span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}
