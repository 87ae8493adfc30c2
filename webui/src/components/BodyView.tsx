import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { CopyIcon } from 'tdesign-icons-react';
import { bodyParts } from '../logic/body';
import { Button } from './Button';
import { useCopy } from './Copy';
import { Segmented } from './Segmented';

/** BodyView shows what was sent: laid out and coloured where it is JSON or XML, or as it came. */
export function BodyView({ body }: { body: string }) {
  const { t } = useTranslation();
  const copy = useCopy();
  const [as, setAs] = useState<'pretty' | 'raw'>('pretty');
  const parts = useMemo(() => bodyParts(body), [body]);
  const text = parts.map((p) => p.text).join('');
  let at = 0;
  return (
    <section>
      <div className="bodyhead">
        <h3>{t('messages.body')}</h3>
        {text !== body && (
          <Segmented
            name="body"
            label={t('messages.body')}
            value={as}
            onChange={setAs}
            options={[
              { value: 'pretty', label: t('messages.pretty') },
              { value: 'raw', label: t('messages.raw') },
            ]}
          />
        )}
        <Button
          size="small"
          variant="text"
          icon={<CopyIcon />}
          onClick={() => void copy(as === 'raw' ? body : text)}
          data-testid="copy-body"
        >
          {t('common.copy')}
        </Button>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls in it. */}
      <pre className="code code--body" tabIndex={0} data-testid="message-body">
        {as === 'raw'
          ? body
          : parts.map((p) => {
              at += p.text.length;
              return p.kind === 'plain' ? (
                p.text
              ) : (
                <span key={at} className={`syntax-${p.kind}`}>
                  {p.text}
                </span>
              );
            })}
      </pre>
    </section>
  );
}
